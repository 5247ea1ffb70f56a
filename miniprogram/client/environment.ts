/** The dependencies of a channel. Each one is replaceable; the defaults use `wx`. */

import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { createJsPrimitives, loadCurves } from 'miniseal-protocol/primitives/primitives-js'
import { decodeBase64Url } from 'miniseal-protocol/text'
import { Clock } from './clock.ts'
import type { Compression } from './compression.ts'
import { ChannelError, wrapErrors, wrapProtocolErrors } from './errors.ts'
import type { PhoneEvents } from './phone-events.ts'
import { noPhoneEvents, wxEvents } from './phone-events.ts'
import { Queue } from './queue.ts'
import type { RandomSource } from './random.ts'
import { RandomPool, wxRandom } from './random.ts'
import type { ConfirmDialog, Soter } from './step-up.ts'
import { wxConfirmDialog, wxSoter } from './step-up.ts'
import type { KeyValueStorage } from './storage.ts'
import { wxStorage } from './storage.ts'
import type { Transport } from './transports/transport.ts'
import { wxRequestTransport } from './transports/wx.ts'
import type { WeChat } from './wx.ts'
import { findWeChat, promised, weChat } from './wx.ts'

/** The version of this library, sent with the login. */
export const sdkVersion = '0.1.0'

/** The platform of the client. The service stores it with the device, for the user's list of devices. */
export interface ClientPlatform {
  /** For example `ios`, `android`, `devtools`. */
  readonly platform: string
  /** Version of WeChat's base library, or of the runtime. */
  readonly base: string
}

export interface ChannelOptions {
  /** The service's public origin, lower case, without a path: `https://pay.example.com`. */
  readonly origin: string
  readonly appid: string
  /** Pinned root keys, base64url of 32 bytes each. Several keys allow rotation. */
  readonly roots: readonly string[]
  readonly transport?: Transport
  readonly storage?: KeyValueStorage
  readonly random?: RandomSource
  /** Returns a new login code on each call. A code is never sent twice. */
  readonly login?: () => Promise<string>
  /** The device's clock, UNIX milliseconds. */
  readonly now?: () => number
  readonly platform?: ClientPlatform
  readonly primitives?: Primitives
  /** Timeout of each network request; 15,000 by default. */
  readonly timeoutMs?: number
  /** Maximum number of retries of a repeatable request; 2 by default. */
  readonly retries?: number
  /** For large bodies: `require('miniseal-client/gzip').compression`. */
  readonly compression?: Compression
  /** Network status and app-show events. */
  readonly events?: PhoneEvents
  /** Signs a challenge after biometric authentication. */
  readonly soter?: Soter
  /** Shows the user what to confirm. */
  readonly confirmDialog?: ConfirmDialog
}

export interface Environment {
  readonly origin: string
  readonly authority: string
  readonly appid: string
  readonly roots: readonly Uint8Array[]
  readonly transport: Transport
  readonly storage: KeyValueStorage
  readonly random: RandomPool
  readonly login: () => Promise<string>
  readonly clock: Clock
  readonly platform: ClientPlatform
  readonly timeoutMs: number
  readonly retries: number
  readonly queue: Queue
  readonly compression: Compression | undefined
  readonly events: PhoneEvents
  readonly soter: Soter
  readonly confirmDialog: ConfirmDialog
  /** Loaded once, on first use. */
  readonly loadPrimitives: () => Promise<Primitives>
}

/**
 * Validates the options and completes them with `wx`.
 *
 * @throws ChannelError `request_invalid` for an invalid origin or root key; `unsupported` when a required dependency
 *   is missing and `wx` is not available.
 */
export function createEnvironment(options: ChannelOptions): Environment {
  const login =
    options.login ??
    (async () => (await promised<{ code: string }>((callbacks) => weChat().login(callbacks))).code)
  const wx = findWeChat()
  return {
    origin: options.origin,
    authority: checked('invalid origin', () => authorityOf(options.origin)),
    appid: options.appid,
    roots: rootKeys(options.roots),
    transport: options.transport ?? wxRequestTransport(weChat()),
    storage: options.storage ?? wxStorage(weChat()),
    random: new RandomPool(options.random ?? wxRandom(weChat())),
    login: () => wrapErrors('login_failed', 'login failed', login),
    clock: new Clock(options.now ?? Date.now),
    platform: options.platform ?? wxPlatform(weChat()),
    timeoutMs: options.timeoutMs ?? 15_000,
    loadPrimitives: primitivesLoader(options.primitives),
    retries: options.retries ?? 2,
    queue: new Queue(),
    compression: options.compression,
    // These work without `wx` too.
    events: options.events ?? (wx === undefined ? noPhoneEvents : wxEvents(wx)),
    soter: options.soter ?? wxSoter(wx),
    confirmDialog: options.confirmDialog ?? wxConfirmDialog(wx),
  }
}

function rootKeys(roots: readonly string[]): readonly Uint8Array[] {
  const keys = roots.map((root) => checked('invalid root key', () => decodeBase64Url(root)))
  if (keys.length === 0 || keys.some((key) => key.length !== 32)) {
    throw new ChannelError('request_invalid', 'root keys must be 32 bytes each')
  }
  return keys
}

function checked<T>(message: string, parse: () => T): T {
  return wrapProtocolErrors('request_invalid', message, parse)
}

function primitivesLoader(given: Primitives | undefined): () => Promise<Primitives> {
  let loaded = given && Promise.resolve(given)
  return () => {
    loaded ??= loadCurves().then(createJsPrimitives)
    return loaded
  }
}

function wxPlatform(wx: WeChat): ClientPlatform {
  return {
    platform: wx.getDeviceInfo?.().platform ?? 'unknown',
    base: wx.getAppBaseInfo?.().SDKVersion ?? 'unknown',
  }
}
