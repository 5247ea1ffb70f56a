/**
 * A `wx` for tests that behaves like a phone: real HTTP (to loopback only), callbacks that are never synchronous,
 * asynchronous random bytes, encrypted storage, and login codes from the WeChat sandbox.
 */
import { randomBytes } from 'node:crypto'
import type { Callbacks, Realm } from './wx-callbacks.ts'
import { bufferOf, later, messageOf, ofRealm, settle } from './wx-callbacks.ts'
import type { RecordedRequest, RequestOptions } from './wx-request-queue.ts'
import { RequestQueue } from './wx-request-queue.ts'
import type { LoopbackSocket, SocketOptions } from './wx-sockets.ts'
import { SocketPool } from './wx-sockets.ts'

export interface LoopbackOptions {
  readonly appid: string
  /** Base URL of the WeChat sandbox, for login codes. */
  readonly sandboxUrl?: string
  /** Who logs in; a new user each time when absent. */
  readonly openid?: string
  readonly realm?: Realm
  /** What the finger gives, for `startSoterAuthentication`; absent on a phone without SOTER. */
  readonly soter?: (challenge: string) => Promise<object>
}

export interface Loopback {
  readonly wx: LoopbackWx
  readonly requests: RecordedRequest[]
  readonly storage: Map<string, { readonly data: string; readonly isEncrypted: boolean }>
  /** Closes every socket as a lost network does. */
  cutSockets(): void
  /** The most requests that were under way together. */
  mostInFlight(): number
}

type Api<Options> = (options: Options & Callbacks) => void

export interface LoopbackWx {
  request(options: RequestOptions): { abort(): void }
  readonly getRandomValues: Api<{ readonly length: number }>
  readonly getStorage: Api<{ readonly key: string; readonly encrypt?: boolean }>
  readonly setStorage: Api<{ readonly key: string; readonly data: string; readonly encrypt?: boolean }>
  readonly removeStorage: Api<{ readonly key: string }>
  readonly login: Api<object>
  readonly getNetworkType: Api<object>
  readonly showModal: Api<{ readonly title: string; readonly content: string }>
  readonly checkIsSupportSoterAuthentication: Api<object>
  readonly checkIsSoterEnrolledInDevice: Api<{ readonly checkAuthMode: string }>
  readonly startSoterAuthentication: Api<{ readonly challenge: string }>
  connectSocket(options: SocketOptions): LoopbackSocket
  onNetworkStatusChange(listener: (status: { readonly isConnected: boolean }) => void): void
  onAppShow(listener: () => void): void
  getDeviceInfo(): { readonly platform: string }
  getAppBaseInfo(): { readonly SDKVersion: string }
}

const MAX_RANDOM = 1_048_576
const MAX_ENCRYPTED_VALUE = 734_003

/** A `wx` of its own: storage and limits are not shared with another one. */
export function createLoopback(options: LoopbackOptions): Loopback {
  const realm: Realm = options.realm ?? globalThis
  const storage: Loopback['storage'] = new Map()
  const requests = new RequestQueue(options.appid, realm)
  const sockets = new SocketPool(realm)
  const wx: LoopbackWx = {
    request: (request) => requests.add(request),
    getRandomValues: asynchronous('getRandomValues', realm, ({ length }) => {
      if (!Number.isInteger(length) || length < 1 || length > MAX_RANDOM) throw new Error('invalid length')
      return { randomValues: bufferOf(randomBytes(length), realm) }
    }),
    ...storageApis(storage, realm),
    login: asynchronous('login', realm, async () => ({ code: await loginCode(options) })),
    ...phoneApis(options, realm),
    connectSocket: (socket) => sockets.connect(socket),
    // Nothing changes on its own here.
    onNetworkStatusChange: () => {},
    onAppShow: () => {},
    getDeviceInfo: () => ({ platform: 'ios' }),
    getAppBaseInfo: () => ({ SDKVersion: '3.8.12' }),
  }
  return {
    wx,
    requests: requests.recorded,
    storage,
    mostInFlight: () => requests.mostInFlight,
    cutSockets: () => sockets.cut(),
  }
}

type PhoneApis = Pick<
  LoopbackWx,
  | 'getNetworkType'
  | 'showModal'
  | 'checkIsSupportSoterAuthentication'
  | 'checkIsSoterEnrolledInDevice'
  | 'startSoterAuthentication'
>

/** A phone with a network and a user who accepts every prompt. */
function phoneApis({ soter }: LoopbackOptions, realm: Realm): PhoneApis {
  return {
    getNetworkType: asynchronous('getNetworkType', realm, () => ({ networkType: 'wifi' })),
    showModal: asynchronous('showModal', realm, () => ({ confirm: true, cancel: false })),
    checkIsSupportSoterAuthentication: asynchronous('checkIsSupportSoterAuthentication', realm, () => {
      return { supportMode: soter === undefined ? [] : ['facial'] }
    }),
    checkIsSoterEnrolledInDevice: asynchronous('checkIsSoterEnrolledInDevice', realm, () => {
      return { isEnrolled: soter !== undefined }
    }),
    startSoterAuthentication: asynchronous('startSoterAuthentication', realm, ({ challenge }) => {
      if (soter === undefined) throw new Error('not support soter')
      return soter(challenge)
    }),
  }
}

type StorageApis = Pick<LoopbackWx, 'getStorage' | 'setStorage' | 'removeStorage'>

function storageApis(storage: Loopback['storage'], realm: Realm): StorageApis {
  return {
    getStorage: asynchronous('getStorage', realm, ({ key, encrypt = false }) => {
      const entry = storage.get(key)
      // Both calls require the flag; without it the phone cannot read the value.
      if (entry === undefined || entry.isEncrypted !== encrypt) throw new Error('data not found')
      return { data: entry.data }
    }),
    setStorage: asynchronous('setStorage', realm, ({ key, data, encrypt = false }) => {
      if (data.length > MAX_ENCRYPTED_VALUE) throw new Error('entry size limit reached')
      storage.set(key, { data, isEncrypted: encrypt })
      return {}
    }),
    removeStorage: asynchronous('removeStorage', realm, ({ key }) => {
      storage.delete(key)
      return {}
    }),
  }
}

async function loginCode({ appid, sandboxUrl, openid }: LoopbackOptions): Promise<string> {
  if (sandboxUrl === undefined) throw new Error('no sandbox')
  const answer = await fetch(`${sandboxUrl}/sandbox/codes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ appid, openid }),
  })
  const body: unknown = await answer.json()
  if (typeof body !== 'object' || body === null || !('code' in body) || typeof body.code !== 'string') {
    throw new Error(`the sandbox gave no code: ${answer.status}`)
  }
  return body.code
}

/** An API of the usual form: `success` or `fail`, then `complete`, all in a later task. */
function asynchronous<Options>(
  name: string,
  realm: Realm,
  run: (options: Options) => object | Promise<object>,
): Api<Options> {
  return (options) => {
    later(async () => {
      try {
        const result = { errMsg: `${name}:ok`, ...(await run(options)) }
        settle(options, 'success', ofRealm(result, realm))
      } catch (error) {
        settle(options, 'fail', ofRealm({ errMsg: `${name}:fail ${messageOf(error)}` }, realm))
      }
    })
  }
}
