/** What happens to a request of a mini program, from the call to the answer. */
import type { Answer } from './answer.ts'
import { Cache, nameOf } from './cache.ts'
import type { ConfirmationRequest } from './confirmation.ts'
import { confirmed, findConfirmationRequest, isUnconfirmed } from './confirmation.ts'
import type { Delivery } from './delivery.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import { cancelRequest } from './outcomes.ts'
import { assertOnline } from './phone-events.ts'
import type { PreparedRequest, RequestOptions } from './prepared-request.ts'
import { prepareRequest, withField } from './prepared-request.ts'
import { withRetries } from './retries.ts'
import type { Sessions } from './sessions.ts'
import { SingleFlight, singleFlightKey } from './single-flight.ts'
import { StoredAnswers } from './stored-answers.ts'
import { Throttle } from './throttle.ts'

/** A request as the mini program asked for it, and as it is sent now. */
interface Call {
  readonly options: RequestOptions
  prepared: PreparedRequest
  /** Whether a refusal that settled the key may be followed by an attempt with another one. */
  mayTakeNewKey: boolean
}

export class Requests {
  private readonly environment: Environment
  private readonly openSessions: Sessions
  private readonly delivery: Delivery
  private readonly singleFlight = new SingleFlight()
  private readonly cache = new Cache()
  private readonly storedAnswers: StoredAnswers
  private readonly throttle: Throttle

  constructor(environment: Environment, openSessions: Sessions, delivery: Delivery) {
    this.environment = environment
    this.openSessions = openSessions
    this.delivery = delivery
    this.storedAnswers = new StoredAnswers(environment)
    this.throttle = new Throttle(() => environment.clock.seconds())
  }

  /**
   * Sends, or shares what is under way or kept.
   * @throws ChannelError; `outcome_unknown` when the request may have had its effect and nobody could tell.
   */
  async send(options: RequestOptions): Promise<Answer> {
    await this.environment.random.ready()
    const prepared = prepareRequest(this.environment, options)
    const call = { options, prepared, mayTakeNewKey: options.idempotencyKey === undefined }
    return this.singleFlight.join(singleFlightKey(options, prepared), () => this.execute(call))
  }

  /** Forgets what was kept for the user. */
  async forget(): Promise<void> {
    this.cache.clear()
    await this.storedAnswers.clear()
  }

  private async execute(call: Call): Promise<Answer> {
    const { confirm = false } = call.options
    try {
      return await this.repeated(call)
    } catch (error) {
      const confirmationRequest = findConfirmationRequest(error)
      if (confirmationRequest === undefined || confirm === false) throw told(error)
      return this.confirmed(call, confirmationRequest, confirm)
    }
  }

  /** Once more, with the person's confirmation. Without one, the service is told that it must not happen any more. */
  private async confirmed(
    call: Call,
    confirmationRequest: ConfirmationRequest,
    confirm: Exclude<RequestOptions['confirm'], false | undefined>,
  ): Promise<Answer> {
    try {
      const field = await confirmed(this.environment, confirmationRequest, confirm)
      // Another key would need another confirmation.
      Object.assign(call, { prepared: withField(call.prepared, 'step-up', field), mayTakeNewKey: false })
      return await this.repeated(call)
    } catch (error) {
      if (!isUnconfirmed(error)) throw told(error)
      return this.fenced(call.prepared, error)
    }
  }

  /** @throws ChannelError `error`: `refused` where the key is fenced now, else of unknown outcome. */
  private async fenced({ idempotencyKey }: PreparedRequest, error: ChannelError): Promise<Answer> {
    if (idempotencyKey === undefined) throw error
    const found = await cancelRequest(this.environment, this, idempotencyKey).catch(() => undefined)
    if (found?.outcome === 'done' && found.answer !== undefined) return found.answer
    throw told(error.with({ outcome: found?.outcome === 'none' ? 'refused' : 'unknown', idempotencyKey }))
  }

  private repeated(call: Call): Promise<Answer> {
    const { options } = call
    const attempt = async (last?: ChannelError): Promise<Answer> => {
      if (last?.outcome === 'refused') {
        await this.environment.random.ready()
        call.prepared = prepareRequest(this.environment, options)
      }
      return call.prepared.isUnsafe ? this.once(call.prepared, options) : this.read(call.prepared, options)
    }
    if (!call.prepared.isRepeatable) return attempt()
    return withRetries(this.environment, attempt, call.mayTakeNewKey)
  }

  /** Once, with what could have had an effect taken for one. */
  private async once(prepared: PreparedRequest, options: RequestOptions): Promise<Answer> {
    this.noteEffect(prepared)
    try {
      await assertOnline(this.environment.events, options.waitForNetwork ?? false)
      await this.throttle.waitForCapacity()
      const answer = await this.delivery.send(prepared)
      this.throttle.learn(answer.headers.ratelimit)
      return answer
    } catch (error) {
      throw ofAllAttempts(error, prepared)
    } finally {
      this.noteEffect(prepared)
    }
  }

  private async read(prepared: PreparedRequest, options: RequestOptions): Promise<Answer> {
    const { cache, openSessions } = this
    const isOwn = prepared.message.fields.some(([name]) => name === 'if-none-match')
    if (prepared.message.method !== 'GET' || options.cache === 'none' || isOwn) {
      return this.once(prepared, options)
    }
    if (openSessions.user !== undefined) cache.useFor(openSessions.user)
    const fresh = cache.findFresh(prepared, this.environment.clock.seconds())
    if (fresh !== undefined) return fresh
    if (options.cache === 'storage') await this.restore(prepared, options)
    const { effects } = cache
    const answer = await this.once(cache.conditional(prepared), options)
    // It may be the answer to another user's session: a login may have stood in between.
    if (openSessions.user === undefined) return answer
    cache.useFor(openSessions.user)
    const seen = cache.take(prepared, answer, effects)
    if (options.cache === 'storage') await this.store(prepared)
    return seen
  }

  private async restore(prepared: PreparedRequest, options: RequestOptions): Promise<void> {
    if (this.cache.findStored(prepared) !== undefined) return
    await assertOnline(this.environment.events, options.waitForNetwork ?? false)
    const session = await this.openSessions.open()
    this.cache.useFor(session.info.user)
    const stored = await this.storedAnswers.find(session, nameOf(prepared))
    if (stored !== undefined) this.cache.restore(prepared, stored)
  }

  private async store(prepared: PreparedRequest): Promise<void> {
    const session = await this.openSessions.find()
    if (session === undefined) return
    await this.storedAnswers.put(session, nameOf(prepared), this.cache.findStored(prepared))
  }

  private noteEffect({ isUnsafe }: PreparedRequest): void {
    if (!isUnsafe) return
    this.cache.noteEffect()
    this.singleFlight.forgetReads()
  }
}

/** The failure of one attempt, with what all attempts with its key leave open. */
function ofAllAttempts(error: unknown, { isUnsafe, idempotencyKey, progress }: PreparedRequest): unknown {
  if (!(error instanceof ChannelError)) return error
  const isOpen = isUnsafe && progress.wasSent && error.outcome !== 'refused'
  return error.with({ idempotencyKey, outcome: isOpen ? 'unknown' : error.outcome })
}

/** The failure as the mini program is to see it: what may have happened is neither a failure nor a success. */
function told(error: unknown): unknown {
  if (!(error instanceof ChannelError) || error.outcome !== 'unknown') return error
  // The caller has to confirm it, and sends it again with the same key.
  if (error.code === 'step_up_required') return error
  const { code, retryAfter, status, problem, idempotencyKey } = error
  return new ChannelError('outcome_unknown', `nobody knows what came of it: ${error.message}`, {
    ...{ outcome: 'unknown', reason: code, retryAfter, status, problem, idempotencyKey, cause: error },
  })
}
