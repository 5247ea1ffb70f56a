/** What failed, in words for people. */
import { ChannelError } from 'miniseal-client'
import { language, texts } from '../i18n/language'

/** A failure as pages show it. */
export interface UserFacingError {
  readonly title: string
  readonly detail: string
  /** What a button offers; empty where nothing helps. */
  readonly action: '' | 'retry' | 'sign-in'
  readonly actionLabel: string
}

/** Says what happened when something could not be loaded. */
export function toUserFacingError(error: unknown): UserFacingError {
  const { common, devices } = texts()
  const action = actionFor(error)
  if (action === 'sign-in') {
    const { removedTitle, removedDetail } = devices
    return { title: removedTitle, detail: removedDetail, action, actionLabel: common.signIn }
  }
  return {
    title: isNetworkError(error) ? common.noConnection : common.cannotLoad,
    detail: sentenceOf(error),
    action,
    actionLabel: action === '' ? '' : common.retry,
  }
}

/** One sentence; of an error that is not the channel's, nothing is told but that something went wrong. */
export function sentenceOf(error: unknown): string {
  return error instanceof ChannelError ? error.text(language()) : texts().common.wentWrong
}

export function isNetworkError(error: unknown): boolean {
  return (
    error instanceof ChannelError && ['offline', 'network', 'timeout', 'interrupted'].includes(error.code)
  )
}

/** A removed device gets a new key; nothing else needs more than another try. */
function actionFor(error: unknown): UserFacingError['action'] {
  if (!(error instanceof ChannelError)) return 'retry'
  if (error.code === 'key_revoked') return 'sign-in'
  return error.code === 'not_verified' || error.code === 'unsupported' ? '' : 'retry'
}
