/** The codes of `ChannelError` that the client library itself detects. The service never sends them. */
import type { Language } from '../problems/catalogue.ts'

interface ClientCodeRow {
  readonly retryable?: true
  /** In docs/reference/problems.md. */
  readonly means: string
  /** The message of the client library for users. */
  readonly user: Readonly<Record<Language, string>>
}

export const clientCodes: Readonly<Record<string, ClientCodeRow>> = {
  network: {
    retryable: true,
    means: 'No response.',
    user: { 'zh-CN': '网络连接失败，请检查网络', en: 'Could not connect. Please check your network.' },
  },
  interrupted: {
    retryable: true,
    means: 'WeChat ended the request five seconds after the mini program went to the background.',
    user: {
      'zh-CN': '小程序切到后台，请求已中断',
      en: 'The request was interrupted in the background. Please try again.',
    },
  },
  timeout: {
    retryable: true,
    means: 'No response within `timeoutMs`.',
    user: { 'zh-CN': '网络超时，请稍后再试', en: 'The connection timed out. Please try again.' },
  },
  offline: {
    retryable: true,
    means: 'The phone has no network. Nothing was sent.',
    user: { 'zh-CN': '当前没有网络', en: 'You are offline.' },
  },
  outcome_unknown: {
    retryable: true,
    means:
      'The request may have had its effect. `reason` is the code of the failure that left the outcome unknown.',
    user: {
      'zh-CN': '结果尚未确认，请勿重复提交，请稍后查看记录',
      en: 'The request may have succeeded. Please check your records before you try again.',
    },
  },
  answer_too_large: {
    means: 'The response exceeds the limit of WeChat cloud hosting (1000 KiB).',
    user: { 'zh-CN': '内容过大，无法接收', en: 'The content is too large to receive.' },
  },
  unexpected_answer: {
    retryable: true,
    means: 'The response is not from the service, or violates the protocol.',
    user: { 'zh-CN': '请稍后再试', en: 'Please try again in a moment.' },
  },
  not_verified: {
    means:
      'The response cannot be decrypted, is not signed for this request, or is signed by an unknown key.',
    user: {
      'zh-CN': '响应未通过安全校验，操作已停止',
      en: 'The response could not be verified.',
    },
  },
  configuration_invalid: {
    retryable: true,
    means:
      "The channel configuration does not verify with a pinned root key, has expired, or is another service's.",
    user: {
      'zh-CN': '无法确认服务身份，请检查网络和手机时间',
      en: 'The service could not be verified. Please check your network and your phone’s clock.',
    },
  },
  no_random: {
    retryable: true,
    means: 'The phone provided no random bytes.',
    user: {
      'zh-CN': '手机暂时无法安全加密，请稍后再试',
      en: 'Your phone could not encrypt the request. Please try again.',
    },
  },
  storage: {
    retryable: true,
    means: 'The device key cannot be read or written.',
    user: {
      'zh-CN': '手机存储不可用，请清理空间后再试',
      en: 'Phone storage is not available. Please free some space and try again.',
    },
  },
  login_failed: {
    retryable: true,
    means: '`wx.login` returned no code.',
    user: { 'zh-CN': '微信登录失败，请重试', en: 'WeChat sign-in failed. Please try again.' },
  },
  request_invalid: {
    means: 'The call itself cannot be sent, for example a bad path or a reserved header.',
    user: { 'zh-CN': '请更新小程序后再试', en: 'Please update the mini program and try again.' },
  },
  unsupported: {
    means: 'There is no `wx` global, and a replacement for one of its functions was not passed in.',
    user: { 'zh-CN': '请更新微信后再试', en: 'Please update WeChat and try again.' },
  },
  confirmation_cancelled: {
    retryable: true,
    means: 'The user cancelled, in the dialog or in SOTER (90008).',
    user: { 'zh-CN': '已取消验证', en: 'Verification was cancelled.' },
  },
  soter_unsupported: {
    means: 'The phone has no SOTER (90001), or none of its modes.',
    user: {
      'zh-CN': '此设备不支持指纹或面容验证',
      en: 'This device does not support fingerprint or face verification.',
    },
  },
  soter_not_allowed: {
    means: 'WeChat has no permission to use fingerprint or face (90002).',
    user: {
      'zh-CN': '请在系统设置中允许微信使用指纹或面容',
      en: 'Please allow WeChat to use your fingerprint or face in system settings.',
    },
  },
  soter_mode_unsupported: {
    means: 'The phone does not support this mode (90003).',
    user: { 'zh-CN': '此设备不支持该验证方式', en: 'This device does not support this verification method.' },
  },
  soter_not_recognized: {
    retryable: true,
    means: 'The fingerprint or face was not recognized (90009).',
    user: { 'zh-CN': '未能识别，请重试', en: 'Not recognized. Please try again.' },
  },
  soter_frozen: {
    retryable: true,
    means: 'Too many attempts (90010; on iOS 90009).',
    user: {
      'zh-CN': '验证次数过多，已被锁定，请稍后再试',
      en: 'Too many attempts. Please try again later.',
    },
  },
  soter_not_enrolled: {
    means: 'No fingerprint or face is enrolled (90011).',
    user: {
      'zh-CN': '请先在系统设置中录入指纹或面容',
      en: 'Please set up a fingerprint or face in system settings first.',
    },
  },
  soter_failed: {
    retryable: true,
    means: 'Any other SOTER error (90004, 90005, 90007 and unknown codes).',
    user: { 'zh-CN': '验证失败，请重试', en: 'Verification failed. Please try again.' },
  },
}
