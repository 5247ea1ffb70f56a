/** A caller's request from call to answer: single flight, cache, retries and step-up authentication. */
import type { Answer } from './answer.ts'
import type { Delivery } from './delivery.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import { cancelRequest } from './outcomes.ts'
import { assertOnline } from './phone-events.ts'
import type { PreparedRequest, RequestOptions } from './prepared-request.ts'
import { prepareRequest, withField } from './prepared-request.ts'
import { Throttle } from './queue.ts'
import { cacheKey, PersistentCache, ResponseCache } from './response-cache.ts'
import { withRetries } from './retries.ts'
import type { SessionManager } from './session-manager.ts'
import type { ConfirmationRequest } from './step-up.ts'
import { confirmWithUser, findConfirmationRequest, isUnconfirmed } from './step-up.ts'

/** A caller's request and its prepared form. */
interface Call {
  readonly options: RequestOptions
  prepared: PreparedRequest
  /** Whether a retry after a refusal that settled the key may use a new key. */
  mayTakeNewKey: boolean
}

export class Requests {
  private readonly environment: Environment
  private readonly sessionManager: SessionManager
  private readonly delivery: Delivery
  private readonly singleFlight = new SingleFlight()
  private readonly cache = new ResponseCache()
  private readonly persistentCache: PersistentCache
  private readonly throttle: Throttle

  constructor(environment: Environment, sessionManager: SessionManager, delivery: Delivery) {
    this.environment = environment
    this.sessionManager = sessionManager
    this.delivery = delivery
    this.persistentCache = new PersistentCache(environment)
    this.throttle = new Throttle(() => environment.clock.seconds())
  }

  /**
   * Sends a request, or shares a pending or cached answer.
   * @throws ChannelError; `outcome_unknown` when the request may have had an effect.
   */
  async send(options: RequestOptions): Promise<Answer> {
    const prepared = await prepareRequest(this.environment, options)
    const call = { options, prepared, mayTakeNewKey: options.idempotencyKey === undefined }
    return this.singleFlight.join(singleFlightKey(options, prepared), () => this.execute(call))
  }

  /** Clears the caches. */
  async clearCaches(): Promise<void> {
    this.cache.clear()
    await this.persistentCache.clear()
  }

  private async execute(call: Call): Promise<Answer> {
    const { confirm = false } = call.options
    try {
      return await this.sendWithRetries(call)
    } catch (error) {
      const confirmationRequest = findConfirmationRequest(error)
      if (confirmationRequest === undefined || confirm === false) throw asOutcomeUnknown(error)
      return this.sendConfirmed(call, confirmationRequest, confirm)
    }
  }

  /** Retries with the user's confirmation. Without one, cancels the request. */
  private async sendConfirmed(
    call: Call,
    confirmationRequest: ConfirmationRequest,
    confirm: Exclude<RequestOptions['confirm'], false | undefined>,
  ): Promise<Answer> {
    try {
      const field = await confirmWithUser(this.environment, confirmationRequest, confirm)
      // The confirmation is bound to the key.
      Object.assign(call, { prepared: withField(call.prepared, 'step-up', field), mayTakeNewKey: false })
      return await this.sendWithRetries(call)
    } catch (error) {
      if (!isUnconfirmed(error)) throw asOutcomeUnknown(error)
      return this.cancelUnconfirmed(call.prepared, error)
    }
  }

  /** @throws ChannelError `error`, with outcome `refused` after the cancellation, `unknown` if it failed */
  private async cancelUnconfirmed({ idempotencyKey }: PreparedRequest, error: ChannelError): Promise<Answer> {
    if (idempotencyKey === undefined) throw error
    const found = await cancelRequest(this.environment, this.send.bind(this), idempotencyKey).catch(
      () => undefined,
    )
    if (found?.outcome === 'done' && found.answer !== undefined) return found.answer
    throw asOutcomeUnknown(
      error.with({ outcome: found?.outcome === 'none' ? 'refused' : 'unknown', idempotencyKey }),
    )
  }

  private sendWithRetries(call: Call): Promise<Answer> {
    const { options } = call
    const attempt = async (last?: ChannelError): Promise<Answer> => {
      if (last?.outcome === 'refused') call.prepared = await prepareRequest(this.environment, options)
      return call.prepared.isUnsafe
        ? this.sendOnce(call.prepared, options)
        : this.sendCacheable(call.prepared, options)
    }
    if (!call.prepared.isRepeatable) return attempt()
    return withRetries(this.environment, attempt, call.mayTakeNewKey)
  }

  /** One attempt. Invalidates cached answers before and after an unsafe request. */
  private async sendOnce(prepared: PreparedRequest, options: RequestOptions): Promise<Answer> {
    this.noteEffect(prepared)
    try {
      await assertOnline(this.environment.events, options.waitForNetwork)
      await this.throttle.waitForCapacity()
      const answer = await this.delivery.send(prepared)
      this.throttle.update(answer.headers.ratelimit)
      return answer
    } catch (error) {
      throw withProgress(error, prepared)
    } finally {
      this.noteEffect(prepared)
    }
  }

  private async sendCacheable(prepared: PreparedRequest, options: RequestOptions): Promise<Answer> {
    const { cache, sessionManager } = this
    const isConditional = prepared.message.fields.some(([name]) => name === 'if-none-match')
    if (prepared.message.method !== 'GET' || options.cache === 'none' || isConditional) {
      return this.sendOnce(prepared, options)
    }
    if (sessionManager.user !== undefined) cache.useFor(sessionManager.user)
    const fresh = cache.findFresh(prepared, this.environment.clock.seconds())
    if (fresh !== undefined) return fresh
    if (options.cache === 'storage') await this.restore(prepared, options)
    const { effects } = cache
    const answer = await this.sendOnce(cache.conditional(prepared), options)
    // A login during the request may have changed the user.
    if (sessionManager.user === undefined) return answer
    cache.useFor(sessionManager.user)
    const result = cache.update(prepared, answer, effects)
    if (options.cache === 'storage') await this.store(prepared)
    return result
  }

  private async restore(prepared: PreparedRequest, options: RequestOptions): Promise<void> {
    if (this.cache.findStored(prepared) !== undefined) return
    await assertOnline(this.environment.events, options.waitForNetwork)
    const session = await this.sessionManager.open()
    this.cache.useFor(session.info.user)
    const stored = await this.persistentCache.find(session, cacheKey(prepared))
    if (stored !== undefined) this.cache.restore(prepared, stored)
  }

  private async store(prepared: PreparedRequest): Promise<void> {
    const session = await this.sessionManager.find()
    if (session === undefined) return
    await this.persistentCache.put(session, cacheKey(prepared), this.cache.findStored(prepared))
  }

  private noteEffect({ isUnsafe }: PreparedRequest): void {
    if (!isUnsafe) return
    this.cache.noteEffect()
    this.singleFlight.forgetReads()
  }
}

/** The error of one attempt, with the outcome of all attempts with its key. */
function withProgress(error: unknown, { isUnsafe, idempotencyKey, progress }: PreparedRequest): unknown {
  if (!(error instanceof ChannelError)) return error
  const isUnsettled = isUnsafe && progress.wasSent && error.outcome !== 'refused'
  return error.with({ idempotencyKey, outcome: isUnsettled ? 'unknown' : error.outcome })
}

/** The error for the caller: `outcome_unknown` when the request may have run. */
function asOutcomeUnknown(error: unknown): unknown {
  if (!(error instanceof ChannelError) || error.outcome !== 'unknown') return error
  // The caller confirms the request and sends it again with the same key.
  if (error.code === 'step_up_required') return error
  const { code, retryAfter, status, problem, idempotencyKey } = error
  return new ChannelError('outcome_unknown', `outcome unknown: ${error.message}`, {
    outcome: 'unknown',
    reason: code,
    retryAfter,
    status,
    problem,
    idempotencyKey,
    cause: error,
  })
}

/** Shares the answer of a pending request with identical requests. */
class SingleFlight {
  private readonly inFlight = new Map<string, Promise<Answer>>()

  /** The answer of the pending request `key`, or of the one that `start` sends. `undefined` is never shared. */
  join(key: string | undefined, start: () => Promise<Answer>): Promise<Answer> {
    if (key === undefined) return start()
    const joined = this.inFlight.get(key)
    if (joined !== undefined) return joined
    const running = start().finally(() => {
      if (this.inFlight.get(key) === running) this.inFlight.delete(key)
    })
    this.inFlight.set(key, running)
    return running
  }

  /** Stops sharing reads that were sent before an effect. */
  forgetReads(): void {
    for (const key of [...this.inFlight.keys()]) if (key.startsWith('GET')) this.inFlight.delete(key)
  }
}

/** Identical requests have the same key; `undefined` for requests that are not shared. */
function singleFlightKey(options: RequestOptions, { message }: PreparedRequest): string | undefined {
  const { method, path, body, headers, idempotencyKey, once = false } = options
  if (method === 'GET') return `GET ${path} ${JSON.stringify(message.fields)}`
  if (idempotencyKey === undefined && !once) return undefined
  // `JSON.stringify` of bytes would be much longer.
  const content = body instanceof Uint8Array ? String(body) : JSON.stringify(body)
  return JSON.stringify([method, path, headers, idempotencyKey, content])
}
