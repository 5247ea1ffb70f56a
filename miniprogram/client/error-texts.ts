/** What people read when a request fails: one row per code, Chinese first. Short, and never a promise. */
import type { ClearCode, RefusalCode } from 'miniseal-protocol/errors'

/** Codes that only the client gives: the service never sends them. */
export type ClientCode =
  | 'network'
  | 'interrupted'
  | 'timeout'
  | 'offline'
  | 'outcome_unknown'
  | 'answer_too_large'
  | 'unexpected_answer'
  | 'not_verified'
  | 'configuration_invalid'
  | 'no_random'
  | 'storage'
  | 'login_failed'
  | 'request_invalid'
  | 'unsupported'
  | 'confirmation_cancelled'
  | 'soter_unsupported'
  | 'soter_not_allowed'
  | 'soter_mode_unsupported'
  | 'soter_not_recognized'
  | 'soter_frozen'
  | 'soter_not_enrolled'
  | 'soter_failed'

/** The closed list of what a {@link ChannelError} may say. */
export type ChannelErrorCode = ClearCode | RefusalCode | ClientCode

export type Locale = 'zh-CN' | 'en'

interface Row {
  readonly 'zh-CN': string
  readonly en: string
  /** May the same call be made again as it is, later? A signed answer that says otherwise wins. */
  readonly retryable: boolean
}

function row(chinese: string, english: string, retryable = false): Row {
  return { 'zh-CN': chinese, en: english, retryable }
}

const updateNeeded = row('请更新小程序后再试', 'Please update the mini program and try again.')
const tryAgain = row('请稍后再试', 'Please try again in a moment.', true)
const loginAgain = row('登录已失效，请重新登录', 'You have been signed out. Please sign in again.', true)
const unsafeLine = row('安全校验未通过，操作已停止', 'The security check failed, so we stopped.')

/** Answered in the clear: hints only, see `problem.ts`. */
export const clearTexts: Readonly<Record<ClearCode, Row>> = {
  malformed_frame: updateNeeded,
  unknown_agreement_key: tryAgain,
  unknown_session: loginAgain,
  frame_too_large: row('内容过大，无法发送', 'This is too large to send.'),
  cannot_open: unsafeLine,
  overloaded: row('现在使用的人较多，请稍后再试', 'The service is busy. Please try again shortly.', true),
}

/** Sealed and signed by the service. */
export const refusalTexts: Readonly<Record<RefusalCode, Row>> = {
  signature_missing: updateNeeded,
  signature_malformed: updateNeeded,
  components_incomplete: updateNeeded,
  tag_invalid: updateNeeded,
  alg_not_allowed: updateNeeded,
  window_invalid: row(
    '手机时间不准确，请校准后再试',
    'Your phone’s clock is off. Please correct it and try again.',
    true,
  ),
  digest_mismatch: unsafeLine,
  key_unknown: loginAgain,
  key_revoked: row('此设备已被移除，请重新登录', 'This device was removed. Please sign in again.'),
  signature_invalid: unsafeLine,
  token_missing: loginAgain,
  token_invalid: loginAgain,
  token_expired: loginAgain,
  token_key_mismatch: loginAgain,
  replayed: row('请求已被处理，请勿重复提交', 'This was already received. Please do not send it twice.'),
  session_ended: loginAgain,
  idempotency_missing: updateNeeded,
  idempotency_in_progress: row('正在处理中，请稍候', 'This is still being processed. Please wait.', true),
  idempotency_mismatch: row('内容已变更，请重新提交', 'The details have changed. Please start again.'),
  request_cancelled: row('请求已取消，没有执行', 'This was cancelled. Nothing was done.'),
  step_up_required: row('请验证指纹或面容', 'Please confirm with your fingerprint or face.'),
  step_up_invalid: row('身份验证未通过，请重试', 'We could not confirm it was you. Please try again.'),
  login_code_invalid: row('微信登录未成功，请重试', 'WeChat sign-in did not work. Please try again.', true),
  login_code_used: row('微信登录未成功，请重试', 'WeChat sign-in did not work. Please try again.', true),
  login_blocked: row('微信限制了此次登录', 'WeChat has blocked this sign-in.'),
  login_busy: row('登录人数较多，请稍后再试', 'Many people are signing in. Please try again shortly.', true),
  wechat_unavailable: row(
    '微信服务暂不可用，请稍后再试',
    'WeChat is not responding. Please try again shortly.',
    true,
  ),
  device_key_refused: row(
    '此设备无法登录，请联系客服',
    'This device cannot sign in. Please contact support.',
  ),
  rate_limited: row('操作太频繁，请稍后再试', 'Too many requests. Please try again in a while.', true),
  payload_invalid: row('提交的内容有误，请检查', 'Some details are not right. Please check them.'),
  not_found: row('没有找到相关内容', 'We could not find that.'),
  upstream_unavailable: tryAgain,
  unavailable: tryAgain,
  internal: row('服务出了点问题，请稍后再试', 'Something went wrong on our side. Please try again later.'),
}

/** Found out by the client itself. */
export const clientTexts: Readonly<Record<ClientCode, Row>> = {
  network: row('网络不可用，请检查网络', 'No connection. Please check your network.', true),
  timeout: row('网络超时，请稍后再试', 'The connection timed out. Please try again.', true),
  interrupted: row(
    '小程序切到后台，请求已中断',
    'This was interrupted in the background. Please try again.',
    true,
  ),
  offline: row('当前没有网络', 'You are offline.', true),
  outcome_unknown: row(
    '结果尚未确认，请勿重复提交，请稍后查看记录',
    'This may have gone through. Please check your records before you send it again.',
    true,
  ),
  answer_too_large: row('内容过大，无法接收', 'This is too large to receive.'),
  unexpected_answer: tryAgain,
  not_verified: row('收到的内容不可信，操作已停止', 'The answer could not be trusted, so we stopped.'),
  configuration_invalid: row(
    '无法确认服务身份，请检查网络和手机时间',
    'We could not verify the service. Please check your network and your phone’s clock.',
    true,
  ),
  no_random: row(
    '手机暂时无法安全加密，请稍后再试',
    'Your phone cannot encrypt safely right now. Please try again.',
    true,
  ),
  storage: row(
    '手机存储不可用，请清理空间后再试',
    'Phone storage is not available. Please free some space and try again.',
    true,
  ),
  login_failed: row('微信登录未成功，请重试', 'WeChat sign-in did not work. Please try again.', true),
  request_invalid: updateNeeded,
  unsupported: row('请更新微信后再试', 'Please update WeChat and try again.'),
  confirmation_cancelled: row('已取消验证', 'You cancelled the confirmation.', true),
  soter_unsupported: row('此设备不支持指纹或面容验证', 'This device cannot confirm by fingerprint or face.'),
  soter_not_allowed: row(
    '请在系统设置中允许微信使用指纹或面容',
    'Please allow WeChat to use your fingerprint or face in system settings.',
  ),
  soter_mode_unsupported: row(
    '此设备不支持该验证方式',
    'This device does not support this way of confirming.',
  ),
  soter_not_recognized: row('未能识别，请重试', 'Not recognized. Please try again.', true),
  soter_frozen: row(
    '验证次数过多，已被锁定，请稍后再试',
    'Too many attempts. It is locked for now, so please try again later.',
    true,
  ),
  soter_not_enrolled: row(
    '请先在系统设置中录入指纹或面容',
    'Please set up a fingerprint or face in system settings first.',
  ),
  soter_failed: row('验证未能完成，请重试', 'The confirmation did not complete. Please try again.', true),
}

const texts: Readonly<Record<ChannelErrorCode, Row>> = { ...clearTexts, ...refusalTexts, ...clientTexts }

/** The sentence for people that belongs to a code. */
export function errorText(code: ChannelErrorCode, locale: Locale): string {
  return texts[code][locale]
}

/** Whether the same call may be made again later, as long as no signed answer says otherwise. */
export function isRetryable(code: ChannelErrorCode): boolean {
  return texts[code].retryable
}
