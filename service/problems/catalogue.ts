/**
 * The catalogue of problem codes: one row for each code (protocol, section 7).
 *
 * `npm run docs` generates from it the union types of `miniseal-protocol`, the texts of the client library, the tables of
 * docs/reference/problems.md and docs/reference/protocol.md, and the OpenAPI document. The pages at `/docs/problems` read it
 * directly. In the texts, backticks mark code and two asterisks mark emphasis.
 */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { Step } from './problem-error.ts'

/** The languages of texts and pages. */
export type Language = 'zh-CN' | 'en'

/** The first supported language of an `accept-language` field. Attacker-controlled. */
export function languageOf(field: string | undefined): Language {
  const first = /(?:^|,)\s*(zh|en)\b/i.exec(field ?? '')?.[1]?.toLowerCase()
  return first === 'zh' ? 'zh-CN' : 'en'
}

/** The chapters of the reference. Refusals with a code of `clear` are sent unencrypted, because there is no session key. */
export const problemGroups = ['clear', 'request', 'idempotency', 'login', 'confirmation', 'service'] as const

export type ProblemGroup = (typeof problemGroups)[number]

export interface ProblemTexts {
  readonly title: string
  readonly means: string
  /** The action of the client, or of its developer. */
  readonly client: string
  /** The checks of the operator. */
  readonly operator: string
}

type Translated = Readonly<Record<Language, string>>

export interface ProblemDefinition {
  readonly status: number
  readonly group: ProblemGroup
  /** The steps that refuse with this code, in the order of the protocol. */
  readonly steps: readonly Step[]
  /** Whether the same call may succeed later, without a change by the user. Default: no. */
  readonly retryable?: true
  /** Seconds of `Retry-After`, unless the refusal has its own. */
  readonly retryAfter?: number
  /** A handler that refuses with this code has had no effect. */
  readonly effect?: 'none'
  /** The sentence that the client library shows to users: short, without a promise. */
  readonly user: Translated
  readonly texts: Readonly<Record<Language, ProblemTexts>>
}

export interface ProblemRow extends ProblemDefinition {
  readonly code: ProtocolCode
  readonly isClear: boolean
  readonly isRetryable: boolean
}

const updateNeeded: Translated = {
  en: 'Please update the mini program and try again.',
  'zh-CN': '请更新小程序后再试',
}
const tryAgain: Translated = { en: 'Please try again in a moment.', 'zh-CN': '请稍后再试' }
const signedOut: Translated = {
  en: 'You have been signed out. Please sign in again.',
  'zh-CN': '登录已失效，请重新登录',
}
const securityFailed: Translated = {
  en: 'The security check failed.',
  'zh-CN': '安全校验未通过，操作已停止',
}
const signInFailed: Translated = {
  en: 'WeChat sign-in failed. Please try again.',
  'zh-CN': '微信登录失败，请重试',
}

const explainRequest = {
  en: 'For a client of your own, run `miniseal explain` on the request.',
  'zh-CN': '自研客户端：对该请求运行 `miniseal explain`。',
} as const

const catalogue: Readonly<Record<ProtocolCode, ProblemDefinition>> = {
  malformed_frame: {
    status: 400,
    group: 'clear',
    steps: ['frame'],
    user: updateNeeded,
    texts: {
      en: {
        title: 'Malformed frame',
        means: 'The body is not a frame, or the content type is wrong.',
        client: 'Update the client. Check for a proxy that changes bodies.',
        operator: 'A proxy in front of `/seal` must pass bodies and content types on unchanged.',
      },
      'zh-CN': {
        title: '帧格式错误',
        means: '正文不是帧，或内容类型不对。',
        client: '更新客户端。检查是否有代理改动了正文。',
        operator: '`/seal` 前的代理必须原样转发正文和内容类型。',
      },
    },
  },
  unknown_agreement_key: {
    status: 409,
    group: 'clear',
    steps: ['session'],
    retryable: true,
    user: tryAgain,
    texts: {
      en: {
        title: 'Unknown agreement key',
        means: 'The agreement key was rotated and is no longer in use.',
        client: 'Automatic: fetch the configuration and log in with a new code.',
        operator:
          'Expected after `miniseal keys rotate agreement`. If it persists, clients cannot reach `/.well-known/miniseal`, or a cache serves an old configuration.',
      },
      'zh-CN': {
        title: '协商密钥已停用',
        means: '协商密钥已轮换，不再使用。',
        client: '自动处理：重新获取配置，用新的 code 登录。',
        operator:
          '执行 `miniseal keys rotate agreement` 之后属正常。若持续出现，说明客户端无法访问 `/.well-known/miniseal`，或缓存仍在返回旧配置。',
      },
    },
  },
  unknown_session: {
    status: 401,
    group: 'clear',
    steps: ['session'],
    retryable: true,
    user: signedOut,
    texts: {
      en: {
        title: 'Unknown session',
        means: 'The service has no session with this id.',
        client: 'Automatic: log in and send the request again.',
        operator:
          'Expected after two hours, or after a restart with another database. If frequent, make sure that every process uses the same database.',
      },
      'zh-CN': {
        title: '会话不存在',
        means: '服务中没有这个会话。',
        client: '自动处理：登录后重新发送。',
        operator: '两小时后或换了数据库重启后属正常。若大量出现，请确认所有进程使用同一数据库。',
      },
    },
  },
  frame_too_large: {
    status: 413,
    group: 'clear',
    steps: ['frame'],
    user: { en: 'The content is too large to send.', 'zh-CN': '内容过大，无法发送' },
    texts: {
      en: {
        title: 'Frame too large',
        means: 'The frame is larger than `max_frame` (1 MiB), or than 64 KiB for a login.',
        client: 'Send less.',
        operator: 'Upload content over 1 MiB to object storage and send its digest through the channel.',
      },
      'zh-CN': {
        title: '帧过大',
        means: '帧超过 `max_frame`（1 MiB），或登录帧超过 64 KiB。',
        client: '减少发送内容。',
        operator: '超过 1 MiB 的内容应上传到对象存储，通过通道只发送其摘要。',
      },
    },
  },
  cannot_open: {
    status: 400,
    group: 'clear',
    steps: ['open'],
    user: securityFailed,
    texts: {
      en: {
        title: 'Frame cannot be opened',
        means: 'The frame was encrypted with other keys, or was changed in transit.',
        client: 'Send again. If it persists, log in.',
        operator:
          'Expected occasionally from internet scanners. If frequent, two processes have different master keys, or a proxy changes bodies.',
      },
      'zh-CN': {
        title: '帧无法解密',
        means: '帧用其他密钥加密，或在传输中被改动。',
        client: '重新发送。若仍如此，请登录。',
        operator: '个别情况来自互联网扫描。大量出现：两个进程的主密钥不同，或代理改动了正文。',
      },
    },
  },
  overloaded: {
    status: 503,
    group: 'clear',
    steps: ['limits', 'frame', 'session', 'open'],
    retryable: true,
    retryAfter: 1,
    user: { en: 'The service is busy. Please try again shortly.', 'zh-CN': '当前使用人数较多，请稍后再试' },
    texts: {
      en: {
        title: 'Service overloaded',
        means:
          'The service could not process the frame and had no session to encrypt the response for. 429: too many frames or logins from this address.',
        client: 'Wait for `Retry-After`, then send again.',
        operator:
          'Check frames, handshakes and the database in `/metrics`. `MINISEAL_LIMITS` sets the limits. Behind a proxy, set `MINISEAL_TRUSTED_PROXIES` correctly: otherwise all users share one limit.',
      },
      'zh-CN': {
        title: '服务过载',
        means: '服务无法处理该帧，也无法加密响应。429：来自该地址的帧或登录过多。',
        client: '等待 `Retry-After` 后重新发送。',
        operator:
          '查看 `/metrics` 中的帧、握手和数据库。限额由 `MINISEAL_LIMITS` 设置。在代理之后必须正确设置 `MINISEAL_TRUSTED_PROXIES`，否则所有用户共用一个限额。',
      },
    },
  },
  signature_missing: {
    status: 401,
    group: 'request',
    steps: ['signature'],
    user: updateNeeded,
    texts: {
      en: {
        title: 'Missing signature',
        means: 'The request has no signature labelled `sig`.',
        client: 'Update the client.',
        operator: explainRequest.en,
      },
      'zh-CN': {
        title: '请求没有签名',
        means: '请求没有标签为 `sig` 的签名。',
        client: '更新客户端。',
        operator: explainRequest['zh-CN'],
      },
    },
  },
  signature_malformed: {
    status: 401,
    group: 'request',
    steps: ['signature'],
    user: updateNeeded,
    texts: {
      en: {
        title: 'Malformed signature',
        means: 'A signature field cannot be parsed, or a parameter is unknown or has the wrong type.',
        client: 'Update the client.',
        operator: explainRequest.en,
      },
      'zh-CN': {
        title: '签名格式错误',
        means: '签名字段无法解析，或参数未知、类型不对。',
        client: '更新客户端。',
        operator: explainRequest['zh-CN'],
      },
    },
  },
  components_incomplete: {
    status: 401,
    group: 'request',
    steps: ['signature'],
    user: updateNeeded,
    texts: {
      en: {
        title: 'Wrong covered components',
        means: 'The covered components are not exactly the required ones. `detail` lists the required ones.',
        client: 'Update the client.',
        operator: explainRequest.en,
      },
      'zh-CN': {
        title: '签名覆盖的组件不对',
        means: '签名覆盖的组件与要求的不完全一致。`detail` 列出要求的组件。',
        client: '更新客户端。',
        operator: explainRequest['zh-CN'],
      },
    },
  },
  tag_invalid: {
    status: 401,
    group: 'request',
    steps: ['signature'],
    user: updateNeeded,
    texts: {
      en: {
        title: 'Wrong signature tag',
        means: 'The tag is not `miniseal`.',
        client: 'Update the client.',
        operator:
          'The signature was made for another purpose. If frequent, an attacker is probing the service.',
      },
      'zh-CN': {
        title: '签名的 tag 不对',
        means: 'tag 不是 `miniseal`。',
        client: '更新客户端。',
        operator: '该签名用于其他用途。大量出现：可能是攻击尝试。',
      },
    },
  },
  alg_not_allowed: {
    status: 401,
    group: 'request',
    steps: ['signature'],
    user: updateNeeded,
    texts: {
      en: {
        title: 'Signature names an algorithm',
        means: 'The signature has the parameter `alg`, which is not allowed.',
        client: 'Update the client.',
        operator: 'For a client of your own, omit the parameter `alg`.',
      },
      'zh-CN': {
        title: '签名写明了算法',
        means: '签名带有不允许的参数 `alg`。',
        client: '更新客户端。',
        operator: '自研客户端：去掉参数 `alg`。',
      },
    },
  },
  window_invalid: {
    status: 401,
    group: 'request',
    steps: ['window'],
    retryable: true,
    user: {
      en: 'Your phone’s clock is wrong. Please correct it and try again.',
      'zh-CN': '手机时间不准确，请校准后再试',
    },
    texts: {
      en: {
        title: 'The signature was created outside the accepted window',
        means: '`created` is more than 120 s in the past or more than 10 s in the future.',
        client: 'Automatic: correct the clock by the signature of the response and sign again.',
        operator:
          'If many users are affected at once, the clock of the service is wrong: check NTP on every host.',
      },
      'zh-CN': {
        title: '签名时间不在接受的范围内',
        means: '`created` 早于 120 秒之前，或晚于 10 秒之后。',
        client: '自动处理：按响应签名的时间校正时钟，重新签名。',
        operator: '若同时大量出现，是服务的时钟不对：检查每台主机的 NTP。',
      },
    },
  },
  digest_mismatch: {
    status: 400,
    group: 'request',
    steps: ['digest'],
    user: securityFailed,
    texts: {
      en: {
        title: 'Content digest mismatch',
        means: 'The content does not match `content-digest`.',
        client: 'Update the client.',
        operator:
          'The client changed the content between signing and encrypting. A proxy cannot cause this: it cannot read the content.',
      },
      'zh-CN': {
        title: '内容与摘要不符',
        means: '内容与 `content-digest` 不符。',
        client: '更新客户端。',
        operator: '客户端在签名与加密之间改动了内容。代理看不到内容，不可能是代理造成的。',
      },
    },
  },
  key_unknown: {
    status: 401,
    group: 'request',
    steps: ['key'],
    user: signedOut,
    texts: {
      en: {
        title: 'Unknown signing key',
        means: 'The signing key does not belong to this session.',
        client: 'Log in.',
        operator:
          'Check the device with `miniseal devices list USER`. For `/push`, check that the key is in `MINISEAL_PUSH_KEYS`.',
      },
      'zh-CN': {
        title: '签名密钥不属于这个会话',
        means: '签名密钥不属于这个会话。',
        client: '登录。',
        operator:
          '用 `miniseal devices list USER` 查看设备。若是 `/push`，确认该密钥在 `MINISEAL_PUSH_KEYS` 中。',
      },
    },
  },
  key_revoked: {
    status: 401,
    group: 'request',
    steps: ['key', 'claim', 'login'],
    user: { en: 'This device was removed. Please sign in again.', 'zh-CN': '此设备已被移除，请重新登录' },
    texts: {
      en: {
        title: 'Signing key revoked',
        means: 'The device was revoked.',
        client: 'Enrol a new device key: log out with `forgetDevice`, then log in.',
        operator: 'The audit log at `/audit` shows who revoked it.',
      },
      'zh-CN': {
        title: '签名密钥已被吊销',
        means: '该设备已被吊销。',
        client: '注册新的设备密钥：用 `forgetDevice` 退出，再登录。',
        operator: '`/audit` 的审计日志显示由谁吊销。',
      },
    },
  },
  signature_invalid: {
    status: 401,
    group: 'request',
    steps: ['verify'],
    user: securityFailed,
    texts: {
      en: {
        title: 'The signature does not verify',
        means: 'The signature does not verify.',
        client: 'Stop. Update the client.',
        operator:
          'For a client of your own, `miniseal explain` finds the differing byte; in development the refusal carries `base_sha256`. From the published client it is an attack or a faulty phone.',
      },
      'zh-CN': {
        title: '签名验证不通过',
        means: '签名验证不通过。',
        client: '停止。更新客户端。',
        operator:
          '自研客户端：`miniseal explain` 能找到不同的字节；开发模式下拒绝中带有 `base_sha256`。若来自正式客户端，则是攻击或手机故障。',
      },
    },
  },
  token_missing: {
    status: 401,
    group: 'request',
    steps: ['token'],
    user: signedOut,
    texts: {
      en: {
        title: 'Missing access token',
        means: 'The request has no `Authorization` field.',
        client: 'Log in.',
        operator: 'For a client of your own: every request except the login carries `authorization`.',
      },
      'zh-CN': {
        title: '缺少访问令牌',
        means: '请求没有 `Authorization` 字段。',
        client: '登录。',
        operator: '自研客户端：除登录外每个请求都带 `authorization`。',
      },
    },
  },
  token_invalid: {
    status: 401,
    group: 'request',
    steps: ['token'],
    user: signedOut,
    texts: {
      en: {
        title: 'Invalid access token',
        means: 'The token does not verify, or belongs to another session.',
        client: 'Log in.',
        operator: 'Expected for older tokens after a change of the database or of `MINISEAL_ORIGIN`.',
      },
      'zh-CN': {
        title: '访问令牌无效',
        means: '令牌验证不通过，或属于另一个会话。',
        client: '登录。',
        operator: '更换数据库或 `MINISEAL_ORIGIN` 之后，旧令牌被拒绝属正常。',
      },
    },
  },
  token_expired: {
    status: 401,
    group: 'request',
    steps: ['token'],
    retryable: true,
    user: signedOut,
    texts: {
      en: {
        title: 'Access token expired',
        means: 'The token is older than ten minutes.',
        client: 'Automatic: `POST /sessions/current/token`, then send again.',
        operator: 'Expected. If all users are affected, check the clocks.',
      },
      'zh-CN': {
        title: '访问令牌已过期',
        means: '令牌已超过十分钟。',
        client: '自动处理：`POST /sessions/current/token`，再重新发送。',
        operator: '属正常。若所有用户都如此，请检查时钟。',
      },
    },
  },
  token_key_mismatch: {
    status: 401,
    group: 'request',
    steps: ['token'],
    user: signedOut,
    texts: {
      en: {
        title: 'Access token bound to another key',
        means: 'The token is bound to another device key.',
        client: 'Log in.',
        operator: 'A token was used with another device: check the audit log.',
      },
      'zh-CN': {
        title: '访问令牌绑定了另一个密钥',
        means: '令牌绑定的是另一个设备密钥。',
        client: '登录。',
        operator: '令牌被用在另一台设备上：请查看审计日志。',
      },
    },
  },
  replayed: {
    status: 409,
    group: 'request',
    steps: ['claim'],
    user: {
      en: 'The request was already received. Please do not send it again.',
      'zh-CN': '请求已被处理，请勿重复提交',
    },
    texts: {
      en: {
        title: 'The request was received before',
        means: 'This nonce was received before.',
        client:
          'Nothing, if the first response arrived. Otherwise sign and send again, with the same idempotency key.',
        operator:
          'Expected occasionally as retries on a bad network. If frequent from different sources, an attacker replays captured frames, which are refused.',
      },
      'zh-CN': {
        title: '请求已收到过',
        means: '这个 nonce 已经收到过。',
        client: '若已收到第一次的响应，无需处理。否则用同一个幂等键重新签名发送。',
        operator: '个别情况是网络不好时的重试。来源不同且大量出现：截获的帧正被重放，均已被拒绝。',
      },
    },
  },
  session_ended: {
    status: 401,
    group: 'request',
    steps: ['claim', 'handler'],
    retryable: true,
    user: signedOut,
    texts: {
      en: {
        title: 'Session ended',
        means: 'The session was logged out or revoked, or is older than two hours.',
        client: 'Automatic: log in and send the request again.',
        operator: 'Expected.',
      },
      'zh-CN': {
        title: '会话已结束',
        means: '会话已退出、被吊销或超过两小时。',
        client: '自动处理：登录后重新发送。',
        operator: '属正常。',
      },
    },
  },
  payload_invalid: {
    status: 400,
    group: 'request',
    steps: ['binary-http', 'key', 'login', 'handler'],
    effect: 'none',
    user: { en: 'Some details are invalid. Please check them.', 'zh-CN': '提交的内容有误，请检查' },
    texts: {
      en: {
        title: 'Invalid request',
        means:
          'The content is not what the route accepts, or exceeds its limits; or a `GET` or `HEAD` has content; or the method is `CONNECT`, `TRACE` or `TRACK`; or the request is for another origin or appid.',
        client: 'Correct the defect that `detail` describes.',
        operator: 'For another origin: `MINISEAL_ORIGIN` differs from the origin configured in the clients.',
      },
      'zh-CN': {
        title: '请求无效',
        means:
          '内容不符合该路由的要求，或超出其限制；或 `GET`、`HEAD` 请求带有内容；或方法为 `CONNECT`、`TRACE`、`TRACK`；或请求属于另一个源或 appid。',
        client: '更正 `detail` 指出的内容。',
        operator: '若属于另一个源：`MINISEAL_ORIGIN` 与构建客户端时的不同。',
      },
    },
  },
  not_found: {
    status: 404,
    group: 'request',
    steps: ['handler'],
    effect: 'none',
    user: { en: 'Nothing was found.', 'zh-CN': '没有找到相关内容' },
    texts: {
      en: {
        title: 'Not found',
        means: 'No route has this path and method, or the object does not exist.',
        client: 'Correct the path.',
        operator:
          'Check that the path is in `MINISEAL_UPSTREAMS` or `MINISEAL_ROUTES_FILE`. The longest prefix wins.',
      },
      'zh-CN': {
        title: '没有找到',
        means: '没有这个路径和方法的路由，或对象不存在。',
        client: '更正路径。',
        operator: '确认该路径在 `MINISEAL_UPSTREAMS` 或 `MINISEAL_ROUTES_FILE` 中。最长的前缀优先。',
      },
    },
  },
  idempotency_missing: {
    status: 400,
    group: 'idempotency',
    steps: ['idempotency'],
    user: updateNeeded,
    texts: {
      en: {
        title: 'Missing Idempotency-Key',
        means:
          'An unsafe request has no `Idempotency-Key`, or one that is not a string of 1 to 255 characters.',
        client: 'Send a key. The client library generates one if it is missing.',
        operator: 'For a client of your own: every unsafe request has its own key.',
      },
      'zh-CN': {
        title: '缺少 Idempotency-Key',
        means: '有副作用的请求没有 `Idempotency-Key`，或它不是 1 至 255 个字符的字符串。',
        client: '请带上它。客户端库会在缺少时自动生成。',
        operator: '自研客户端：每个有副作用的请求都要有自己的键。',
      },
    },
  },
  idempotency_in_progress: {
    status: 409,
    group: 'idempotency',
    steps: ['idempotency'],
    retryable: true,
    user: { en: 'The request is still being processed. Please wait.', 'zh-CN': '正在处理中，请稍候' },
    texts: {
      en: {
        title: 'A request with this Idempotency-Key is in progress',
        means:
          'The first request with this key has not finished. With `"outcome": "unknown"` its outcome can no longer be determined.',
        client:
          'Send the request again later with the same key. With `unknown`, determine the outcome in another way, for example from the list of transfers, before you use a new key.',
        operator:
          'With `unknown`, check the record of the backend for this user and key. `/audit` shows the entry.',
      },
      'zh-CN': {
        title: '使用该 Idempotency-Key 的请求尚未完成',
        means: '使用该键的第一个请求尚未完成。若带 `"outcome": "unknown"`，则其结果已无法确定。',
        client:
          '稍后用同一个键重新发送。若为 `unknown`：先用其他方式查明结果，例如查看转账列表，再使用新的键。',
        operator: '若为 `unknown`，请在后端的记录中按用户和键核对。日志条目见 `/audit`。',
      },
    },
  },
  idempotency_mismatch: {
    status: 422,
    group: 'idempotency',
    steps: ['idempotency'],
    effect: 'none',
    user: { en: 'The details have changed. Please start again.', 'zh-CN': '内容已变更，请重新提交' },
    texts: {
      en: {
        title: 'Idempotency-Key reused for another request',
        means: 'The key was used for another request.',
        client: 'Use a new key for a new request.',
        operator: 'A client of your own uses one key for two requests.',
      },
      'zh-CN': {
        title: '该 Idempotency-Key 已用于另一个请求',
        means: '该键已用于另一个请求。',
        client: '新的请求使用新的键。',
        operator: '自研客户端把一个键用于两个请求。',
      },
    },
  },
  request_cancelled: {
    status: 409,
    group: 'idempotency',
    steps: ['idempotency'],
    user: { en: 'The request was cancelled. Nothing was done.', 'zh-CN': '请求已取消，没有执行' },
    texts: {
      en: {
        title: 'Request cancelled before it ran',
        means:
          'The key was cancelled with `DELETE /outcomes/{key}` before a request with it ran. No request with it had or will have an effect.',
        client: 'Nothing: the cancellation succeeded. A new attempt needs a new key.',
        operator:
          'Expected when users cancel. `/audit` shows the entry of the cancellation: `DELETE`, `/outcomes/` and the key in base64url.',
      },
      'zh-CN': {
        title: '请求在执行前已取消',
        means:
          '在任何使用该键的请求执行之前，该键已用 `DELETE /outcomes/{key}` 取消。使用该键的请求没有也不会产生任何效果。',
        client: '无需处理：取消已生效。重新发起时使用新的键。',
        operator: '用户放弃时属正常。取消的记录在 `/audit`：`DELETE`、`/outcomes/` 与 base64url 形式的键。',
      },
    },
  },
  step_up_required: {
    status: 401,
    group: 'confirmation',
    steps: ['handler'],
    user: { en: 'Please confirm with your fingerprint or face.', 'zh-CN': '请验证指纹或面容' },
    texts: {
      en: {
        title: 'Biometric confirmation required',
        means:
          'The handler or the session (docs/guides/operations.md, "Login risk") requires a confirmation of this request. Carries `challenge` and `summary`, and `WWW-Authenticate: HTTPSig error="insufficient_user_authentication", acr_values="soter"` (RFC 9470).',
        client:
          'Show `summary`, call `wx.startSoterAuthentication`, and send the same request with `step-up` and the same key.',
        operator: 'Expected. `MINISEAL_ROUTES_FILE` or the backend defines which routes require it.',
      },
      'zh-CN': {
        title: '请求需要二次验证',
        means:
          '处理方或会话（docs/guides/operations.md，“Login risk”）要求对该请求进行二次验证。带有 `challenge`、`summary` 与 `WWW-Authenticate: HTTPSig error="insufficient_user_authentication", acr_values="soter"`（RFC 9470）。',
        client: '显示 `summary`，调用 `wx.startSoterAuthentication`，带上 `step-up` 与同一个键发送同一请求。',
        operator: '属正常。哪些路由要求二次验证，由 `MINISEAL_ROUTES_FILE` 或后端决定。',
      },
    },
  },
  step_up_invalid: {
    status: 401,
    group: 'confirmation',
    steps: ['step-up'],
    user: { en: 'Your identity could not be verified. Please try again.', 'zh-CN': '身份验证未通过，请重试' },
    texts: {
      en: {
        title: 'Invalid biometric confirmation',
        means:
          'The confirmation is for another request, user or device, is older than three minutes, was used before, or is not confirmed by WeChat. `detail` contains the reason.',
        client: 'Send the request without `step-up` to get a new challenge.',
        operator:
          'If frequent for one user, an attacker tries to bypass the confirmation: check the audit log.',
      },
      'zh-CN': {
        title: '二次验证结果无效',
        means:
          '该验证结果属于另一个请求、用户或设备，或已超过三分钟、已被使用，或未通过微信的校验。`detail` 说明是哪一种。',
        client: '去掉 `step-up` 发送请求，以获取新的 challenge。',
        operator: '同一用户大量出现：可能是绕过二次验证的尝试。请查看审计日志。',
      },
    },
  },
  login_code_invalid: {
    status: 401,
    group: 'login',
    steps: ['login'],
    retryable: true,
    user: signInFailed,
    texts: {
      en: {
        title: 'Invalid login code',
        means: 'WeChat rejects the code. Codes are valid for five minutes.',
        client: 'Log in again with a new `wx.login` code.',
        operator:
          'If all logins fail: appid and secret do not match, or the code is from another mini program.',
      },
      'zh-CN': {
        title: '登录 code 无效',
        means: '微信拒绝这个 code。code 有效五分钟。',
        client: '用新的 `wx.login` code 重新登录。',
        operator: '若全部失败：appid 与 secret 不匹配，或 code 属于另一个小程序。',
      },
    },
  },
  login_code_used: {
    status: 401,
    group: 'login',
    steps: ['claim', 'login'],
    retryable: true,
    user: signInFailed,
    texts: {
      en: {
        title: 'Login code already used',
        means: 'The code was used before.',
        client: 'Log in again with a new `wx.login` code.',
        operator: 'Expected when a login is repeated after its response was lost.',
      },
      'zh-CN': {
        title: '登录 code 已被用过',
        means: 'code 已被用过。',
        client: '用新的 `wx.login` code 重新登录。',
        operator: '响应丢失后重复登录时属正常。',
      },
    },
  },
  login_blocked: {
    status: 403,
    group: 'login',
    steps: ['login'],
    user: { en: 'WeChat has blocked this sign-in.', 'zh-CN': '微信限制了此次登录' },
    texts: {
      en: {
        title: 'Login blocked as high-risk',
        means: 'WeChat blocks this user as high-risk, or the risk policy of the service refuses the rank.',
        client: 'Inform the user. Do not retry.',
        operator: 'WeChat or `MINISEAL_RISK_POLICY` refused it: see `risk` in the log line.',
      },
      'zh-CN': {
        title: '登录因高风险被阻止',
        means: '微信将该用户判为高风险，或服务的风险策略拒绝其等级。',
        client: '告知用户。不要重试。',
        operator: '由微信或 `MINISEAL_RISK_POLICY` 拒绝：见日志行中的 `risk`。',
      },
    },
  },
  login_busy: {
    status: 429,
    group: 'login',
    steps: ['login', 'step-up'],
    retryable: true,
    retryAfter: 30,
    user: {
      en: 'The service is busy. Please sign in again shortly.',
      'zh-CN': '登录人数较多，请稍后再试',
    },
    texts: {
      en: {
        title: 'Too many logins',
        means: 'The login quota at WeChat is exhausted.',
        client: 'Wait for `Retry-After`.',
        operator: 'Request a higher quota from WeChat.',
      },
      'zh-CN': {
        title: '登录过多',
        means: '微信的登录额度已用完。',
        client: '等待 `Retry-After`。',
        operator: '向微信申请更高的额度。',
      },
    },
  },
  wechat_unavailable: {
    status: 503,
    group: 'login',
    steps: ['login', 'step-up', 'handler'],
    retryable: true,
    retryAfter: 3,
    user: {
      en: 'WeChat is not responding. Please try again shortly.',
      'zh-CN': '微信服务暂不可用，请稍后再试',
    },
    texts: {
      en: {
        title: 'WeChat unavailable',
        means:
          'WeChat sent no valid response; or appid, secret or quota are wrong; or a required risk rank is missing.',
        client: 'Wait for `Retry-After`. Operators: see the log line `wechat.called`.',
        operator:
          'See the log line `wechat.called` with `errcode` and `rid`, and `wechat_last_seen` of `/readyz`. 40013 and 40125: appid or secret; 40164: the address of the server is not on the IP list.',
      },
      'zh-CN': {
        title: '微信不可用',
        means: '微信没有返回有效的响应；或 appid、secret、额度不对；或缺少必需的风险等级。',
        client: '等待 `Retry-After`。运维：见日志行 `wechat.called`。',
        operator:
          '见日志行 `wechat.called` 中的 `errcode` 与 `rid`，以及 `/readyz` 的 `wechat_last_seen`。40013、40125：appid 或 secret；40164：服务器地址不在 IP 白名单中。',
      },
    },
  },
  device_key_refused: {
    status: 400,
    group: 'login',
    steps: ['key', 'login'],
    user: {
      en: 'This device cannot sign in. Please contact support.',
      'zh-CN': '此设备无法登录，请联系客服',
    },
    texts: {
      en: {
        title: 'Device key refused',
        means:
          'The device key is malformed or weak, or enrolled for another user; or the user has reached the device limit (see `detail`).',
        client:
          'Log out with `forgetDevice`, then log in. At the limit, have the user revoke a device from another one.',
        operator: '`MINISEAL_MAX_DEVICES` sets the limit; `miniseal devices list USER` lists the devices.',
      },
      'zh-CN': {
        title: '设备密钥被拒绝',
        means: '设备密钥格式不对或太弱，或已注册给其他用户；或用户的设备数已到上限（`detail` 会说明）。',
        client: '用 `forgetDevice` 退出，再登录。若到上限：请用户在另一台设备上移除一台设备。',
        operator: '上限是 `MINISEAL_MAX_DEVICES`；`miniseal devices list USER` 列出设备。',
      },
    },
  },
  rate_limited: {
    status: 429,
    group: 'service',
    steps: ['limits', 'handler'],
    retryable: true,
    retryAfter: 10,
    effect: 'none',
    user: { en: 'Too many requests. Please try again later.', 'zh-CN': '操作过于频繁，请稍后再试' },
    texts: {
      en: {
        title: 'Too many requests',
        means:
          'Too many requests of this device, user or app, or pushes with this key. The field `RateLimit` of the response contains the remaining quota. For `POST /phone-number` also: the quota at WeChat is exhausted.',
        client: 'Wait for `Retry-After`, then send again.',
        operator: '`MINISEAL_LIMITS` sets the limits; `RateLimit-Policy` names the one that was reached.',
      },
      'zh-CN': {
        title: '请求过多',
        means:
          '该设备、用户或应用的请求过多，或该密钥的推送过多。响应中的 `RateLimit` 说明剩余额度。对 `POST /phone-number` 还表示：微信的额度已用完。',
        client: '等待 `Retry-After` 后重新发送。',
        operator: '限额由 `MINISEAL_LIMITS` 设置；`RateLimit-Policy` 说明触及的是哪一个。',
      },
    },
  },
  upstream_unavailable: {
    status: 502,
    group: 'service',
    steps: ['handler'],
    retryable: true,
    user: tryAgain,
    texts: {
      en: {
        title: 'Backend unavailable',
        means:
          'The backend sent no valid response: no connection, too slow, too large, or not HTTP. With `"outcome": "unknown"` **the request may have been executed.** With `"outcome": "none"` nothing was sent: no connection, the circuit breaker of the route is open, or its queue is full.',
        client:
          'With `none`, try again with a new idempotency key. Otherwise send the request again with the same key.',
        operator:
          'Check the backend: its port, its latency, the size of its responses. `MINISEAL_ROUTES_FILE` sets the limits of a route.',
      },
      'zh-CN': {
        title: '后端不可用',
        means:
          '后端没有返回有效的响应：无法连接、太慢、太大或不是 HTTP。若带 `"outcome": "unknown"`，**它可能已经执行。** 若带 `"outcome": "none"`，则没有发送任何内容：无法连接，该路由的熔断器已打开，或其队列已满。',
        client: '若为 `none`：用新的幂等键重试。否则用同一个键重新发送。',
        operator: '检查后端：端口、延迟、响应大小。路由的限制由 `MINISEAL_ROUTES_FILE` 设置。',
      },
    },
  },
  unavailable: {
    status: 503,
    group: 'service',
    steps: ['limits', 'claim', 'login', 'idempotency', 'step-up', 'handler'],
    retryable: true,
    retryAfter: 2,
    user: tryAgain,
    texts: {
      en: {
        title: 'Service unavailable',
        means:
          'The database or the audit log is unavailable. With `"reason": "storage_full"` the disk is nearly full, and the request was not processed. With `"outcome": "unknown"` the request **may have been executed**: its response could not be stored.',
        client:
          'Wait for `Retry-After`, then send again with the same idempotency key, or with a new one after `"outcome": "none"`.',
        operator:
          'Check the database, the audit log and the disk in `/readyz`: below `MINISEAL_DISK_RESERVE` unsafe requests are refused. Without a working audit log no payments are accepted; `miniseal audit status` prints the reason.',
      },
      'zh-CN': {
        title: '服务暂不可用',
        means:
          '数据库或审计日志不可用。若带 `"reason": "storage_full"`，则磁盘将满，请求未作处理。若带 `"outcome": "unknown"`，请求**可能已经执行**：它的响应未能保存。',
        client: '等待 `Retry-After`，用同一个幂等键重新发送；若为 `"outcome": "none"`，则用新的键。',
        operator:
          '查看 `/readyz` 中的数据库、审计日志与磁盘：低于 `MINISEAL_DISK_RESERVE` 时拒绝有副作用的请求。审计日志不可用时不接受支付：`miniseal audit status` 说明原因。',
      },
    },
  },
  internal: {
    status: 500,
    group: 'service',
    steps: ['login', 'handler'],
    user: {
      en: 'Something went wrong on our side. Please try again later.',
      'zh-CN': '服务异常，请稍后再试',
    },
    texts: {
      en: {
        title: 'Internal error',
        means: 'The service failed. With `"outcome": "unknown"` **the request may have been executed.**',
        client: 'Send the request again later with the same idempotency key. Report the UUID of `instance`.',
        operator: 'The log line with this `requestId` contains the error. Please report it.',
      },
      'zh-CN': {
        title: '服务内部错误',
        means: '服务出错。若带 `"outcome": "unknown"`，**请求可能已经执行。**',
        client: '稍后用同一个幂等键重新发送。请报告 `instance` 中的 UUID。',
        operator: '错误详情在带有该 `requestId` 的日志行中。请报告。',
      },
    },
  },
}

/** Every code, in the order of the catalogue. */
export const problemCodes: readonly ProtocolCode[] = Object.keys(catalogue) as ProtocolCode[]

export function problemRow(code: ProtocolCode): ProblemRow {
  const definition = catalogue[code]
  return {
    ...definition,
    code,
    isClear: definition.group === 'clear',
    isRetryable: definition.retryable === true,
  }
}

/** The code of this name, or `undefined`. The text is attacker-controlled. */
export function findProblemCode(text: string): ProtocolCode | undefined {
  return problemCodes.find((code) => code === text)
}
