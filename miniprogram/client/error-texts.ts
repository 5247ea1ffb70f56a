/** The closed list of error codes, their texts, and whether the same call may be made again. */
import type { ClearCode, RefusalCode } from 'miniseal-protocol/errors'
import type { ClientCode, ErrorText } from './problem-texts.ts'
import { clearTexts, clientTexts, refusalTexts } from './problem-texts.ts'

/** The closed list of what a {@link ChannelError} may say. */
export type ChannelErrorCode = ClearCode | RefusalCode | ClientCode

export type Locale = 'zh-CN' | 'en'

const texts: Readonly<Record<ChannelErrorCode, ErrorText>> = {
  ...clearTexts,
  ...refusalTexts,
  ...clientTexts,
}

/** The sentence for people that belongs to a code. */
export function errorText(code: ChannelErrorCode, locale: Locale): string {
  return texts[code][locale]
}

/** Whether the same call may be made again later, as long as no signed answer says otherwise. */
export function isRetryable(code: ChannelErrorCode): boolean {
  return texts[code].retryable
}
