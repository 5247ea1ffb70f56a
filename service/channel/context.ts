/** What an exchange works with: everything that is not in the bytes it was given. */
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import type { Outbox } from '../events/outbox.ts'
import type { SocketEffects } from '../events/subscriptions.ts'
import type { Backend } from '../gateway/backend.ts'
import type { Keyring } from '../keys/keyring.ts'
import type { ChannelSettings } from '../keys/publication.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import type { DiskGuard } from '../limits/disk.ts'
import type { Limits } from '../limits/limits.ts'
import type { OpenSessions } from '../sessions/open-sessions.ts'
import type { LoginRisk, RiskPolicy } from '../sessions/risk-policy.ts'
import type { TokenIssuer } from '../sessions/tokens.ts'
import type { Store } from '../store/store.ts'
import type { Appender } from '../tlog/appender.ts'
import type { EntryGate } from '../tlog/gate.ts'
import type { Receipts } from '../tlog/receipts.ts'
import type { WechatClient } from '../wechat/client.ts'
import type { Copies } from './copies.ts'
import type { ExchangeTrace, StageTime } from './stages.ts'

/** What was learned of a login's risk; `blocked`: WeChat itself refused to say who it is. */
export type NotedRisk = LoginRisk | 'blocked'

/** One line of the service's log about an exchange. An allow-list: nothing of a body, token, key or person. */
export interface ExchangeRecord {
  readonly requestId: string
  /** The address group that sent it: decides which refusals are written, and is written nowhere. */
  readonly source: string
  readonly kind: 'login' | 'request' | 'clear' | 'push'
  /** Of the inner request, once it was read. Attacker-controlled: capital letters. */
  readonly method?: string
  readonly status: number
  readonly code?: string
  readonly step?: string
  readonly durationMs: number
  /** Absent where no frame was read. */
  readonly stages?: readonly StageTime[]
  /** Of a login, as far as it was learned. */
  readonly risk?: NotedRisk
  /** What was thrown, for `internal` and `unavailable` only. */
  readonly error?: unknown
}

export interface ExchangeContext {
  readonly primitives: Primitives
  readonly settings: ChannelSettings
  /** Host and port of the origin: the only `@authority` that is accepted. */
  readonly authority: string
  readonly store: Store
  readonly keyring: Keyring
  readonly sessions: OpenSessions
  readonly wrapper: SecretWrapper
  readonly tokens: TokenIssuer
  readonly wechat: WechatClient
  readonly backend: Backend
  readonly limits: Limits
  readonly disk: DiskGuard
  readonly copies: Copies
  readonly outbox: Outbox
  /** The turn of this frame on its socket; absent over HTTP. */
  readonly socket?: SocketEffects
  /** Development only: a refused signature comes with a digest of what it was checked over. */
  readonly returnsSignatureBase: boolean
  readonly log: EntryGate
  readonly appender: Appender
  readonly receipts: Receipts
  /** Devices that one user may have in use. */
  readonly maxDevices: number
  /** Absent: WeChat is not asked for ranks. */
  readonly riskPolicy: RiskPolicy | undefined
  /** UNIX seconds. */
  readonly now: () => number
  /** Bytes of the system's generator. */
  readonly random: (length: number) => Uint8Array
  readonly record: (record: ExchangeRecord) => void
  readonly trace: ExchangeTrace
}
