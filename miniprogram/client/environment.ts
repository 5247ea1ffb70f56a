/** Everything that a channel needs from outside, each part replaceable: phones, tools and tests differ only here. */

import { FormatError } from 'miniseal-protocol/errors'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import { loadCurves } from 'miniseal-protocol/primitives/curves'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { createJsPrimitives } from 'miniseal-protocol/primitives/primitives-js'
import { decodeBase64Url } from 'miniseal-protocol/text'
import { Clock } from './clock.ts'
import type { Compression } from './compression.ts'
import { ChannelError, failWith } from './errors.ts'
import type { PhoneEvents } from './phone-events.ts'
import { noPhoneEvents, wxEvents } from './phone-events.ts'
import { Queue } from './queue.ts'
import type { RandomSource } from './random.ts'
import { RandomPool, wxRandom } from './random.ts'
import type { AskForSummary, Soter } from './soter.ts'
import { wxAsk, wxSoter } from './soter.ts'
import type { KeyValueStorage } from './storage.ts'
import { wxStorage } from './storage.ts'
import type { Transport } from './transports/transport.ts'
import { wxRequestTransport } from './transports/wx-request.ts'
import type { WeChat } from './wx.ts'
import { findWeChat, weChat, wxLogin } from './wx.ts'

/** The version of this library, as the login tells it to the service. */
export const sdkVersion = '0.1.0'

/** Where the client runs; the service keeps it with the session, for people to recognise their devices. */
export interface ClientPlatform {
  /** For example `ios`, `android`, `devtools`. */
  readonly platform: string
  /** The version of WeChat's base library, or of the runtime. */
  readonly base: string
}

export interface ChannelOptions {
  /** The service's public origin, lower case, without a path: `https://pay.example.com`. */
  readonly origin: string
  readonly appid: string
  /** The pinned root keys, base64url of 32 bytes each; several, so that the operator can rotate. */
  readonly roots: readonly string[]
  readonly transport?: Transport
  readonly storage?: KeyValueStorage
  readonly random?: RandomSource
  /** Gives a new login code each time; a code is never sent twice. */
  readonly login?: () => Promise<string>
  /** UNIX milliseconds of the device's own clock. */
  readonly now?: () => number
  readonly platform?: ClientPlatform
  readonly primitives?: Primitives
  /** For each step over the network; 15 s unless told. */
  readonly timeoutMs?: number
  /** How often a request is sent again that may be; 2 unless told. */
  readonly retries?: number
  /** For long bodies: `require('miniseal/gzip').compression`. */
  readonly compression?: Compression
  /** Tells of the network and of coming back to the screen. */
  readonly events?: PhoneEvents
  /** Signs a challenge by finger or face. */
  readonly soter?: Soter
  /** Shows people what they are about to confirm. */
  readonly ask?: AskForSummary
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
  readonly ask: AskForSummary
  /** Loaded once, at the first call. */
  readonly loadPrimitives: () => Promise<Primitives>
}

/**
 * Checks the options and fills the gaps with `wx`.
 *
 * @throws ChannelError `request_invalid` for an origin or a root key that cannot be right; `unsupported` when a part
 *   is missing and there is no `wx` to take its place.
 */
export function createEnvironment(options: ChannelOptions): Environment {
  const now = options.now ?? Date.now
  const login = options.login ?? (() => wxLogin(weChat()))
  return {
    origin: options.origin,
    authority: checked('the origin is not an origin in lower case', () => authorityOf(options.origin)),
    appid: options.appid,
    roots: rootKeys(options.roots),
    transport: options.transport ?? wxRequestTransport(weChat()),
    storage: options.storage ?? wxStorage(weChat()),
    random: new RandomPool(options.random ?? wxRandom(weChat())),
    login: () => failWith('login_failed', 'no login code', login),
    clock: new Clock(now),
    platform: options.platform ?? wxPlatform(weChat()),
    timeoutMs: options.timeoutMs ?? 15_000,
    loadPrimitives: primitivesLoader(options.primitives),
    retries: options.retries ?? 2,
    queue: new Queue(),
    compression: options.compression,
    ...parts(options),
  }
}

/** What a tool can do without. */
function parts(options: ChannelOptions): Pick<Environment, 'events' | 'soter' | 'ask'> {
  const wx = findWeChat()
  return {
    events: options.events ?? (wx === undefined ? noPhoneEvents : wxEvents(wx)),
    soter: options.soter ?? wxSoter(wx),
    ask: options.ask ?? wxAsk(wx),
  }
}

function rootKeys(roots: readonly string[]): readonly Uint8Array[] {
  const keys = roots.map((root) => checked('a root key is not base64url', () => decodeBase64Url(root)))
  if (keys.length === 0 || keys.some((key) => key.length !== 32)) {
    throw new ChannelError('request_invalid', 'a channel needs root keys of 32 bytes')
  }
  return keys
}

function checked<T>(message: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    if (cause instanceof FormatError) throw new ChannelError('request_invalid', message, { cause })
    throw cause
  }
}

function primitivesLoader(given: Primitives | undefined): () => Promise<Primitives> {
  let loaded = given === undefined ? undefined : Promise.resolve(given)
  return () => {
    const primitives = loaded ?? loadCurves().then(createJsPrimitives)
    loaded = primitives
    return primitives
  }
}

function wxPlatform(wx: WeChat): ClientPlatform {
  return {
    platform: wx.getDeviceInfo?.().platform ?? 'unknown',
    base: wx.getAppBaseInfo?.().SDKVersion ?? 'unknown',
  }
}
