/** The dependencies of an exchange, and its reports for logs, metrics and traces. */
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import type { Outbox } from '../events/outbox.ts'
import type { SocketEffects } from '../events/subscriptions.ts'
import type { Backend } from '../gateway/backend.ts'
import type { Keyring } from '../keys/keyring.ts'
import type { ChannelSettings } from '../keys/publication.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import type { DiskGuard } from '../limits/disk.ts'
import type { Limits } from '../limits/limits.ts'
import type { LoginRisk, RiskPolicy } from '../sessions/risk-policy.ts'
import type { SessionCache } from '../sessions/session-cache.ts'
import type { TokenIssuer } from '../sessions/tokens.ts'
import type { Store } from '../store/store.ts'
import type { Appender } from '../tlog/appender.ts'
import type { EntryGate } from '../tlog/log-health.ts'
import type { Receipts } from '../tlog/receipts.ts'
import type { WechatClient } from '../wechat/client.ts'

export interface ExchangeContext {
  readonly primitives: Primitives
  readonly settings: ChannelSettings
  /** Host and port of the origin: the only accepted `@authority`. */
  readonly authority: string
  readonly store: Store
  readonly keyring: Keyring
  readonly sessions: SessionCache
  readonly wrapper: SecretWrapper
  readonly tokens: TokenIssuer
  readonly wechat: WechatClient
  readonly backend: Backend
  readonly limits: Limits
  readonly disk: DiskGuard
  /** The nonces that are being claimed in this process. */
  readonly claimingNonces: Set<string>
  readonly outbox: Outbox
  /** The effects of this frame on its socket; absent over HTTP. */
  readonly socket?: SocketEffects
  /** Development only: `signature_invalid` carries a digest of the signature base. */
  readonly returnsSignatureBase: boolean
  readonly log: EntryGate
  readonly appender: Appender
  readonly receipts: Receipts
  /** Maximum number of devices in use per user. */
  readonly maxDevices: number
  /** Absent: logins do not request a risk rank from WeChat. */
  readonly riskPolicy: RiskPolicy | undefined
  /** UNIX seconds. */
  readonly now: () => number
  /** Bytes of the operating system's generator. */
  readonly random: (length: number) => Uint8Array
  readonly record: (record: ExchangeRecord) => void
  readonly trace: ExchangeTrace
}

/** `blocked`: WeChat refused to identify the user. */
export type ObservedRisk = LoginRisk | 'blocked'

/** The record of an exchange for logs, metrics and traces. An allow-list: no content, token, key or user. */
export interface ExchangeRecord {
  readonly requestId: string
  /** The address group of the sender: samples the refusals that are logged, and is never logged. */
  readonly source: string
  readonly kind: 'login' | 'request' | 'clear' | 'push'
  /** The method of the inner request, if it was parsed. Attacker-controlled: capital letters. */
  readonly method?: string
  readonly status: number
  readonly code?: string
  readonly step?: string
  readonly durationMs: number
  /** Absent where no frame was read. */
  readonly stages?: readonly StageTime[]
  /** The risk of a login, if WeChat returned a rank. */
  readonly risk?: ObservedRisk
  /** The cause of `internal` and `unavailable`. */
  readonly error?: unknown
}

/** The stages of an exchange, in order; a login replaces `authorize` to `finalize`. */
export type Stage = 'open' | 'verify' | 'login' | 'authorize' | 'claim' | 'execute' | 'finalize' | 'seal'

/** Observes a running exchange. Throws only what `exchange` throws. */
export interface ExchangeTrace {
  run<T>(exchange: () => Promise<T>): Promise<T>
  /** Ends the previous stage and begins this one. */
  begin(stage: Stage): void
}

export const untracedExchange: ExchangeTrace = { run: (exchange) => exchange(), begin: () => {} }

export interface StageTime {
  readonly stage: Stage
  readonly durationMs: number
}

/** Measures the stages of one exchange, including the one that refuses. */
export class StageClock {
  readonly #times: StageTime[] = []
  readonly #trace: ExchangeTrace
  #running: { readonly stage: Stage; readonly since: number } | undefined

  constructor(trace: ExchangeTrace) {
    this.#trace = trace
  }

  /** Ends the running stage, if any, and begins the next. */
  begin(stage: Stage): void {
    const now = performance.now()
    this.#end(now)
    this.#running = { stage, since: now }
    this.#trace.begin(stage)
  }

  /** Ends the running stage. @returns all stages so far, in order. */
  stop(): readonly StageTime[] {
    this.#end(performance.now())
    this.#running = undefined
    return this.#times
  }

  #end(now: number): void {
    if (this.#running === undefined) return
    const { stage, since } = this.#running
    this.#times.push({ stage, durationMs: now - since })
  }
}
