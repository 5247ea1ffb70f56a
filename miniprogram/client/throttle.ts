/** The service's `RateLimit` field (draft-ietf-httpapi-ratelimit-headers-10): when nothing is left, wait by oneself. */
import { startPause } from './timers.ts'

/** Longer than this, in seconds, nobody is kept waiting without a word: the request is sent, and refused. */
const MAX_WAIT = 20

export class Throttle {
  private readonly seconds: () => number
  private opensAt = 0

  /** @param seconds any clock */
  constructor(seconds: () => number) {
    this.seconds = seconds
  }

  /** @param field from a verified answer */
  learn(field = ''): void {
    for (const used of field.match(/;r=0;t=\d{1,5}/g) ?? []) {
      this.opensAt = Math.max(this.opensAt, this.seconds() + Number(used.slice(7)))
    }
  }

  /** Resolves when the service's limits leave something again. */
  async waitForCapacity(): Promise<void> {
    const wait = this.opensAt - this.seconds()
    if (wait > 0 && wait <= MAX_WAIT) await startPause(wait * 1000).over
  }
}
