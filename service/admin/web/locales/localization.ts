/** Localized texts, numbers and times. */
import { createContext, useContext } from 'hono/jsx/dom'
import type { Language } from '../local-storage.ts'
import { english, type MessageName } from './en.ts'
import { chinese } from './zh.ts'

export interface Localization {
  readonly language: Language
  /** The text with a name. `find` takes names from the service and returns `undefined` for unknown ones. */
  readonly translate: (name: MessageName) => string
  readonly find: (name: string) => string | undefined
  readonly count: (n: number) => string
  /** Formats a time to seconds, in the browser's time zone. */
  readonly time: (milliseconds: number) => string
  /** Formats a time to milliseconds, with the time zone. */
  readonly exact: (milliseconds: number) => string
  /** A duration, for example `3 min`. */
  readonly span: (seconds: number) => string
}

/** The browser's time zone. */
export const zone: string = Intl.DateTimeFormat().resolvedOptions().timeZone

export function localizationOf(language: Language): Localization {
  const texts: Readonly<Record<string, string>> = language === 'zh-CN' ? chinese : english
  const numbers = new Intl.NumberFormat(language)
  return {
    language,
    translate: (name) => texts[name] ?? name,
    find: (name) => (Object.hasOwn(texts, name) ? texts[name] : undefined),
    count: (n) => numbers.format(n),
    time: (at) => `${dayOf(at)} ${clockOf(at)}`,
    exact: (at) => `${dayOf(at)} ${clockOf(at)}.${pad(at % 1_000, 3)} ${offsetOf(at)} (${zone})`,
    span: (seconds) => spanOf(seconds, language),
  }
}

function pad(n: number, width = 2): string {
  return String(n).padStart(width, '0')
}

/** ISO format in both languages. */
function dayOf(at: number): string {
  const date = new Date(at)
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
}

function clockOf(at: number): string {
  const date = new Date(at)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => pad(n)).join(':')
}

function offsetOf(at: number): string {
  const minutes = -new Date(at).getTimezoneOffset()
  const absolute = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(absolute / 60))}:${pad(absolute % 60)}`
}

const units = [
  [86_400, 'd', '天'],
  [3_600, 'h', '小时'],
  [60, 'min', '分钟'],
  [1, 's', '秒'],
] as const

function spanOf(seconds: number, language: Language): string {
  const found = units.find(([length]) => seconds >= length) ?? units[3]
  const [length, latin, chinese] = found
  return `${Math.floor(seconds / length)} ${language === 'zh-CN' ? chinese : latin}`
}

const context = createContext<Localization>(localizationOf('en'))

export const LocalizationProvider = context.Provider

export function useLocalization(): Localization {
  return useContext(context)
}
