/** Date and time formats, in the language of the app and the phone's time zone. */
import { language } from './language'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `今天 14:05`, `Today 14:05`, or with the date. @param seconds UNIX seconds */
export function dayAndTime(seconds: number): string {
  const date = new Date(seconds * 1000)
  return `${dayOf(date)} ${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`
}

/** `2026-01-31 14:05:09`. */
export function exactTime(seconds: number): string {
  const date = new Date(seconds * 1000)
  const day = [date.getFullYear(), twoDigits(date.getMonth() + 1), twoDigits(date.getDate())].join('-')
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':')
  return `${day} ${time}`
}

/** `14:05`. */
export function clockTime(seconds: number): string {
  const date = new Date(seconds * 1000)
  return `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`
}

function dayOf(date: Date): string {
  const isChinese = language() === 'zh-CN'
  if (date.toDateString() === new Date().toDateString()) return isChinese ? '今天' : 'Today'
  const month = date.getMonth()
  return isChinese ? `${month + 1}月${date.getDate()}日` : `${date.getDate()} ${months[month] ?? ''}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
