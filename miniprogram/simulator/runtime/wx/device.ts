/** Device information, storage, login and SOTER. */

import { showBiometricPrompt } from '../phone.ts'
import { ApiFailure } from './api.ts'

/** The phone of this page, from the URL fragment: `phone.html#b`. */
const phone = location.hash === '#b' ? 'b' : 'a'

/** Calls a demo route of the service. @returns the parsed answer. @throws Error for an error status */
async function post(path: string, body: object): Promise<object> {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
  return (await answer.json()) as object
}

/** The language, as WeChat formats it. */
export function language(): string {
  return navigator.language.startsWith('zh') ? 'zh_CN' : 'en'
}

const windowInfo = (): object => ({
  windowWidth: innerWidth,
  windowHeight: document.getElementById('pages')?.clientHeight ?? innerHeight,
  screenWidth: innerWidth,
  screenHeight: innerHeight,
  pixelRatio: devicePixelRatio,
  statusBarHeight: 44,
  safeArea: {
    left: 0,
    top: 44,
    right: innerWidth,
    bottom: innerHeight,
    width: innerWidth,
    height: innerHeight - 44,
  },
})

const appBaseInfo = (): object => ({
  SDKVersion: '3.8.12',
  version: '8.0.60',
  language: language(),
  theme: 'light',
  host: { env: 'WeChat' },
  enableDebug: false,
})

const deviceInfo = (): object => ({
  brand: 'browser',
  model: 'Miniseal demo',
  platform: 'browser',
  system: 'browser',
})

export const deviceFunctions = {
  getWindowInfo: windowInfo,
  getAppBaseInfo: appBaseInfo,
  getDeviceInfo: deviceInfo,
  getSystemInfoSync: () => ({ ...windowInfo(), ...appBaseInfo(), ...deviceInfo() }),
  getMenuButtonBoundingClientRect: () => {
    return { width: 87, height: 32, top: 50, right: innerWidth - 7, bottom: 82, left: innerWidth - 94 }
  },
}

export const deviceCalls = {
  getRandomValues: ({ length }: { length: number }) => {
    if (!(length > 0 && length <= 65_536)) throw new Error('invalid length')
    return { randomValues: crypto.getRandomValues(new Uint8Array(length)).buffer }
  },
  vibrateShort: () => {},
  setClipboardData: ({ data }: { data: string }) => navigator.clipboard.writeText(data),
}

const prefix = `phone-${phone}:`

function readEntry(key: string): unknown {
  const stored = localStorage.getItem(prefix + key)
  return stored === null ? undefined : (JSON.parse(stored) as unknown)
}

function writeEntry(key: string, data: unknown): void {
  localStorage.setItem(prefix + key, JSON.stringify(data))
}

export const storageCalls = {
  getStorage: ({ key }: { key: string }) => {
    const data = readEntry(key)
    if (data === undefined) throw new ApiFailure('data not found')
    return { data }
  },
  setStorage: ({ key, data }: { key: string; data: unknown }) => writeEntry(key, data),
  removeStorage: ({ key }: { key: string }) => localStorage.removeItem(prefix + key),
}

export const storageFunctions = {
  getStorageSync: (key: string) => readEntry(key) ?? '',
  setStorageSync: writeEntry,
  removeStorageSync: (key: string) => localStorage.removeItem(prefix + key),
}

/** Random, once per browser and phone. */
function openid(): string {
  const stored = readEntry('sandbox-openid')
  if (typeof stored === 'string') return stored
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  const created = `demo-${phone}-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
  writeEntry('sandbox-openid', created)
  return created
}

/** The user's WeChat name. */
export function nickname(): string {
  const number = Number.parseInt(openid().slice(-4), 16) % 90
  return `${phone === 'a' ? '小明' : '小红'}${number + 10}`
}

export const userCalls = {
  login: () => post('wechat/code', { openid: openid() }),
  checkIsSupportSoterAuthentication: () => ({ supportMode: ['fingerPrint'] }),
  checkIsSoterEnrolledInDevice: () => ({ isEnrolled: true }),
  startSoterAuthentication: async (options: { challenge: string; authContent?: string }) => {
    const { challenge, authContent = '' } = options
    if (challenge === '' || challenge.length > 512) throw new ApiFailure('no challenge', { errCode: 90004 })
    const isConfirmed = await showBiometricPrompt(authContent, language().startsWith('zh'))
    if (!isConfirmed) throw new ApiFailure('cancel', { errCode: 90008 })
    const signed = await post('wechat/soter', { openid: openid(), challenge })
    return { ...signed, authMode: 'fingerPrint', errCode: 0 }
  },
}
