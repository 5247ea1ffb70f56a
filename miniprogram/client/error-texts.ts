/** What people read when a request fails: one row per code, Chinese first. Short, and never a promise. */
import type { ClearCode, RefusalCode } from 'miniseal-protocol/errors'
import type { ErrorText } from './problem-texts.ts'
import { clearTexts, refusalTexts } from './problem-texts.ts'

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

function row(chinese: string, english: string, retryable = false): ErrorText {
  return { 'zh-CN': chinese, en: english, retryable }
}

const updateNeeded = row('请更新小程序后再试', 'Please update the mini program and try again.')
const tryAgain = row('请稍后再试', 'Please try again in a moment.', true)

/** Found out by the client itself. */
export const clientTexts: Readonly<Record<ClientCode, ErrorText>> = {
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
