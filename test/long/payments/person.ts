/** A user who pays: taps again, cancels, restarts the app. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Channel, ChannelOptions } from '../../../miniprogram/client/index.ts'
import { ChannelError } from '../../../miniprogram/client/index.ts'
import { createPhone } from '../../integration/client/phone.ts'
import { memoryStorage } from '../../integration/client/scripted-answers.ts'
import type { TestService } from '../../support/service.ts'

/** What the app shows for an order, by the rules of `miniprogram/app/services/transfers.ts`. */
export type Verdict = 'paid' | 'unpaid' | 'unknown'

export interface Order {
  readonly key: string
  /** The item that the user buys: paid at most once, with any number of orders. */
  readonly purpose: string
  isTried: boolean
  isGivenUp: boolean
  /** The service was interrupted: the user agreed to complete the payment, and waits. */
  isToComplete: boolean
  verdict: Verdict
}

export class Person {
  readonly orders: Order[] = []
  readonly counts = {
    taps: 0,
    giveUps: 0,
    stopped: 0,
    tooLate: 0,
    completed: 0,
    restarts: 0,
    contradictions: 0,
  }
  private readonly launch: () => Channel
  private channel: Channel

  constructor(service: TestService, name: string, options: Partial<ChannelOptions>) {
    const storage = memoryStorage()
    this.launch = () =>
      createPhone(service, name, { storage, retries: 2, timeoutMs: 5_000, ...options }).channel
    this.channel = this.launch()
  }

  /** Pays; where the app shows an order as unpaid, sometimes with a new order. */
  async pay(purpose: string): Promise<void> {
    do {
      const order: Order = {
        ...{
          key: randomUUID(),
          purpose,
          isTried: false,
          isGivenUp: false,
          isToComplete: false,
          verdict: 'unknown' as Verdict,
        },
      }
      this.orders.push(order)
      await this.follow(order, (tries) => tries < 6)
      if (order.verdict !== 'unpaid') return
    } while (Math.random() < 0.5)
  }

  /**
   * Resolves all unknown payments once the network is reliable; the request of a killed process counts as running for a
   * minute.
   */
  async finish(): Promise<void> {
    const end = Date.now() + 180_000
    const open = this.orders.filter(({ verdict }) => verdict === 'unknown')
    await Promise.all(open.map((order) => this.follow(order, () => Date.now() < end)))
  }

  private async follow(order: Order, isPatient: (tries: number) => boolean): Promise<void> {
    for (let tried = 0; isPatient(tried); tried++) {
      order.verdict = await this.once(order)
      if (order.verdict !== 'unknown') return
      if (!order.isGivenUp && !order.isToComplete && Math.random() < 0.3) this.giveUp(order)
      if (Math.random() < 0.1) {
        this.counts.restarts += 1
        this.channel = this.launch()
      }
      await sleep(Math.random() * Math.min(1_000, 100 * 2 ** tried))
    }
  }

  private async once(order: Order): Promise<Verdict> {
    if (order.isGivenUp) return this.stop(order)
    if (order.isToComplete || Math.random() > 0.1) return this.tap(order)
    // Cancels while the app is sending.
    const sending = this.tap(order)
    await sleep(Math.random() * 200)
    this.giveUp(order)
    const [sent, stopped] = await Promise.all([sending, this.stop(order)])
    if (sent !== 'unknown' && stopped !== 'unknown' && sent !== stopped) this.counts.contradictions += 1
    return stopped === 'unknown' ? sent : stopped
  }

  private giveUp(order: Order): void {
    this.counts.giveUps += 1
    order.isGivenUp = true
  }

  private async tap(order: Order): Promise<Verdict> {
    this.counts.taps += 1
    const isRepeated = order.isTried
    order.isTried = true
    try {
      const answer = await this.channel.request({
        method: 'POST',
        path: '/wallet/transfers',
        body: { payee: 'bob', amount: 1, currency: 'CNY', note: order.purpose },
        idempotencyKey: order.key,
      })
      if (answer.status === 201) return 'paid'
      throw new Error(`the wallet answered ${answer.status}: ${answer.text()}`)
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error
      return error.outcome === 'refused' || (error.outcome === 'none' && !isRepeated) ? 'unpaid' : 'unknown'
    }
  }

  private async stop(order: Order): Promise<Verdict> {
    try {
      const { outcome } = await this.channel.cancel(order.key)
      if (outcome === 'unknown') {
        // The service was killed during the payment: the app offers to complete it, and the user agrees.
        this.counts.completed += 1
        Object.assign(order, { isGivenUp: false, isToComplete: true })
      }
      if (outcome === 'none') this.counts.stopped += 1
      if (outcome === 'done') this.counts.tooLate += 1
      return outcome === 'none' ? 'unpaid' : outcome === 'done' ? 'paid' : 'unknown'
    } catch (error) {
      if (error instanceof ChannelError) return 'unknown'
      throw error
    }
  }
}
