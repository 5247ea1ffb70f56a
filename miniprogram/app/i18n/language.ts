/** The language of the app: WeChat's language, unless the user chose another. */
import type { Locale } from 'miniseal-client'
import { en } from './en'
import type { Texts } from './zh-cn'
import { zhCn } from './zh-cn'

const storageKey = 'language'

const dictionaries: Readonly<Record<Locale, Texts>> = { 'zh-CN': zhCn, en }

let current: Locale | undefined

/** The current language. */
export function language(): Locale {
  current ??= storedLanguage() ?? (wx.getAppBaseInfo().language.startsWith('zh') ? 'zh-CN' : 'en')
  return current
}

/** The texts in the current language. */
export function texts(): Texts {
  return dictionaries[language()]
}

/** Changes the language and stores the choice. */
export function chooseLanguage(chosen: Locale): void {
  current = chosen
  wx.setStorage({ key: storageKey, data: chosen })
  applyLanguage()
}

/** Translates the tab bar. Pages set their own titles. */
export function applyLanguage(): void {
  const { wallet, messages, devices } = texts()
  const names = [wallet.title, messages.title, devices.title]
  for (const [index, text] of names.entries()) wx.setTabBarItem({ index, text })
}

function storedLanguage(): Locale | undefined {
  const stored: unknown = wx.getStorageSync(storageKey)
  return stored === 'zh-CN' || stored === 'en' ? stored : undefined
}
