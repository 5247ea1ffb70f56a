/** What the app is told about the phone. */

/** WeChat's own form of a language. */
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
