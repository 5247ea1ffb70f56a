/** The words of the pages of problem codes, besides those of the codes. */
import type { Language } from '../messages/language.ts'

export interface PageTexts {
  readonly index: string
  readonly lead: string
  readonly step: string
  readonly retry: string
  readonly yes: string
  readonly no: string
  readonly status: string
  readonly sent: string
  readonly clear: string
  readonly sealed: string
  readonly seconds: string
  readonly means: string
  readonly client: string
  readonly operator: string
  readonly example: string
  readonly all: string
  readonly other: string
  readonly unknownCode: string
  readonly groups: Readonly<Record<ProblemGroup, string>>
}

export type ProblemGroup = 'clear' | 'request' | 'idempotency' | 'login' | 'service' | 'confirmation'

const en: PageTexts = {
  index: 'Problem codes',
  lead: 'A refusal is a problem document (RFC 9457) with one of these codes. Programs act on the code, never on the words.',
  step: 'Refused at the step',
  retry: 'May be repeated',
  yes: 'yes',
  no: 'no',
  status: 'HTTP status',
  sent: 'How it is sent',
  clear: 'in the clear: a hint',
  sealed: 'sealed and signed',
  seconds: 'Retry-After, seconds',
  means: 'What it means',
  client: 'What the client does',
  operator: 'What the operator looks at',
  example: 'What it looks like',
  all: 'All problem codes',
  other: '中文',
  unknownCode: 'There is no such code',
  groups: {
    clear: 'Answered in the clear',
    request: 'The request',
    idempotency: 'Idempotency',
    login: 'Login',
    service: 'The service, the backend, limits',
    confirmation: 'Confirmation by finger or face',
  },
}

const zh: PageTexts = {
  index: '问题代码',
  lead: '拒绝是一份问题文档（RFC 9457），带有下列代码之一。程序只依据代码行事，不依据文字。',
  step: '拒绝的步骤',
  retry: '可以重试',
  yes: '可以',
  no: '不可以',
  status: 'HTTP 状态码',
  sent: '发送方式',
  clear: '明文：仅供参考',
  sealed: '密封并签名',
  seconds: 'Retry-After（秒）',
  means: '含义',
  client: '客户端怎么做',
  operator: '运维看什么',
  example: '文档示例',
  all: '全部问题代码',
  other: 'English',
  unknownCode: '没有这个代码',
  groups: {
    clear: '以明文回答',
    request: '请求',
    idempotency: '幂等',
    login: '登录',
    service: '服务、后端与限额',
    confirmation: '指纹或面容确认',
  },
}

export const pageTexts: Readonly<Record<Language, PageTexts>> = { en, 'zh-CN': zh }
