/** Error messages for users. */
import { ChannelError } from 'miniseal-client'
import { language, texts } from '../i18n/language'

/** An error as pages show it. */
export interface UserFacingError {
  readonly title: string
  readonly detail: string
  /** The action of the button; empty when there is none. */
  readonly action: '' | 'retry' | 'sign-in'
  readonly actionLabel: string
}

/**
 * The error to show after a failed load; `null` for a network error while content is shown, because the offline bar
 * reports it.
 */
export function loadError(error: unknown, isLoaded: boolean): UserFacingError | null {
  return isLoaded && isNetworkError(error) ? null : toUserFacingError(error)
}

export function toUserFacingError(error: unknown): UserFacingError {
  const { common, devices } = texts()
  const action = actionFor(error)
  if (action === 'sign-in') {
    const { removedTitle, removedDetail } = devices
    return { title: removedTitle, detail: removedDetail, action, actionLabel: common.signIn }
  }
  return {
    title: isNetworkError(error) ? common.noConnection : common.cannotLoad,
    detail: errorMessage(error),
    action,
    actionLabel: action === '' ? '' : common.retry,
  }
}

/** The message of a `ChannelError`; a generic one for any other error. */
export function errorMessage(error: unknown): string {
  return error instanceof ChannelError ? error.text(language()) : texts().common.wentWrong
}

function isNetworkError(error: unknown): boolean {
  return (
    error instanceof ChannelError && ['offline', 'network', 'timeout', 'interrupted'].includes(error.code)
  )
}

/** A removed device must sign in with a new key. */
function actionFor(error: unknown): UserFacingError['action'] {
  if (!(error instanceof ChannelError)) return 'retry'
  if (error.code === 'key_revoked') return 'sign-in'
  return error.code === 'not_verified' || error.code === 'unsupported' ? '' : 'retry'
}
