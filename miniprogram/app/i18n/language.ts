/** The language of the app: that of WeChat, until people choose another. */
import type { Locale } from 'miniseal-client'
import { en } from './en'
import type { Texts } from './texts'
import { zhCn } from './zh-cn'

const storageKey = 'language'

const dictionaries: Readonly<Record<Locale, Texts>> = { 'zh-CN': zhCn, en }

let current: Locale | undefined

/** The language that is shown. */
export function language(): Locale {
  current ??= storedLanguage() ?? (wx.getAppBaseInfo().language.startsWith('zh') ? 'zh-CN' : 'en')
  return current
}

/** Every sentence of the app in that language. */
export function texts(): Texts {
  return dictionaries[language()]
}

/** Keeps the choice for the next launches. */
export function chooseLanguage(chosen: Locale): void {
  current = chosen
  wx.setStorage({ key: storageKey, data: chosen })
  applyLanguage()
}

/** Names the tabs; pages name themselves when they are shown. */
export function applyLanguage(): void {
  const { wallet, messages, devices } = texts()
  const names = [wallet.title, messages.title, devices.title]
  for (const [index, text] of names.entries()) wx.setTabBarItem({ index, text })
}

function storedLanguage(): Locale | undefined {
  const stored: unknown = wx.getStorageSync(storageKey)
  return stored === 'zh-CN' || stored === 'en' ? stored : undefined
}
