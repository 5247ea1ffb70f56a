/** The language of the pages, and how numbers and times are written in it. */
import { createContext, useContext } from 'hono/jsx/dom'
import type { Language } from '../remembered.ts'
import { english, type MessageName } from './en.ts'
import { chinese } from './zh.ts'

export interface Localization {
  readonly language: Language
  /** The text of a name; for a name that is made of what came from the service, `undefined` if there is none. */
  readonly translate: (name: MessageName) => string
  readonly find: (name: string) => string | undefined
  readonly count: (n: number) => string
  /** To the second, in the zone of the browser. */
  readonly time: (milliseconds: number) => string
  /** To the millisecond, with the zone. */
  readonly exact: (milliseconds: number) => string
  /** `3 min`, for lengths of time. */
  readonly span: (seconds: number) => string
}

/** The zone that times are shown in. */
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

/** The same in both languages: figures stand under each other. */
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
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`
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
