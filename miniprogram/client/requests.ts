/** What happens to a request of a mini program, from the call to the answer. */
import type { Answer } from './answer.ts'
import { Cache, nameOf } from './cache.ts'
import { confirmed, findAsked } from './confirmation.ts'
import type { Delivery } from './delivery.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import { Flights, flightName } from './flights.ts'
import { Pace } from './pace.ts'
import { assertOnline } from './phone-events.ts'
import type { PreparedRequest, RequestOptions } from './prepared-request.ts'
import { prepareRequest, withField } from './prepared-request.ts'
import { withRetries } from './retries.ts'
import type { Sessions } from './sessions.ts'
import { StoredAnswers } from './stored-answers.ts'

export class Requests {
  private readonly environment: Environment
  private readonly openSessions: Sessions
  private readonly delivery: Delivery
  private readonly flights = new Flights()
  private readonly cache = new Cache()
  private readonly storedAnswers: StoredAnswers
  private readonly pace: Pace

  constructor(environment: Environment, openSessions: Sessions, delivery: Delivery) {
    this.environment = environment
    this.openSessions = openSessions
    this.delivery = delivery
    this.storedAnswers = new StoredAnswers(environment)
    this.pace = new Pace(() => environment.clock.seconds())
  }

  /**
   * Sends, or shares what is under way or kept.
   * @throws ChannelError; `outcome_unknown` when the request may have had its effect and nobody could tell.
   */
  async send(options: RequestOptions): Promise<Answer> {
    await this.environment.random.ready()
    const prepared = prepareRequest(this.environment, options)
    return this.flights.join(flightName(options, prepared), () => this.carryOut(prepared, options))
  }

  /** Forgets what was kept for the user. */
  async forget(): Promise<void> {
    this.cache.clear()
    await this.storedAnswers.clear()
  }

  private async carryOut(prepared: PreparedRequest, options: RequestOptions): Promise<Answer> {
    try {
      return await this.confirmedIfAsked(prepared, options)
    } catch (error) {
      throw told(error, prepared)
    }
  }

  private async confirmedIfAsked(prepared: PreparedRequest, options: RequestOptions): Promise<Answer> {
    const { confirm = false } = options
    try {
      return await this.repeated(prepared, options)
    } catch (error) {
      const asked = findAsked(error)
      if (asked === undefined || confirm === false) throw error
      const field = await confirmed(this.environment, asked, confirm)
      return this.repeated(withField(prepared, 'step-up', field), options)
    }
  }

  private repeated(prepared: PreparedRequest, options: RequestOptions): Promise<Answer> {
    const attempt = (): Promise<Answer> =>
      prepared.isUnsafe ? this.once(prepared, options) : this.read(prepared, options)
    const isRepeatable = !prepared.isUnsafe || prepared.idempotencyKey !== undefined
    return isRepeatable ? withRetries(this.environment, attempt) : attempt()
  }

  /** Once, with what could have had an effect taken for one. */
  private async once(prepared: PreparedRequest, options: RequestOptions): Promise<Answer> {
    this.noteEffect(prepared)
    try {
      await assertOnline(this.environment.events, options.waitForNetwork ?? false)
      await this.pace.keep()
      const answer = await this.delivery.send(prepared)
      this.pace.learn(answer.headers.ratelimit)
      return answer
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
    if (this.cache.findKept(prepared) !== undefined) return
    await assertOnline(this.environment.events, options.waitForNetwork ?? false)
    const session = await this.openSessions.open()
    this.cache.useFor(session.info.user)
    const kept = await this.storedAnswers.find(session, nameOf(prepared))
    if (kept !== undefined) this.cache.restore(prepared, kept)
  }

  private async store(prepared: PreparedRequest): Promise<void> {
    const session = await this.openSessions.find()
    if (session === undefined) return
    await this.storedAnswers.put(session, nameOf(prepared), this.cache.findKept(prepared))
  }

  private noteEffect({ isUnsafe }: PreparedRequest): void {
    if (!isUnsafe) return
    this.cache.noteEffect()
    this.flights.forgetReads()
  }
}

/** The failure as the mini program is to see it: what may have happened is neither a failure nor a success. */
function told(error: unknown, { idempotencyKey }: PreparedRequest): unknown {
  if (!(error instanceof ChannelError)) return error
  if (error.outcome !== 'unknown') return error.with({ idempotencyKey })
  const { retryAfter, status, problem } = error
  return new ChannelError('outcome_unknown', `nobody knows what came of it: ${error.message}`, {
    ...{ outcome: 'unknown', reason: error.code, retryAfter, status, problem, idempotencyKey, cause: error },
  })
}
