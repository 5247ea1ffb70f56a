/** A pool of random bytes: WeChat's generator is asynchronous, signing needs bytes synchronously. */
import { isAllZero, wipe } from 'miniseal-protocol/bytes'
import { ChannelError, wrapErrors } from './errors.ts'
import type { WeChat } from './wx.ts'
import { promised } from './wx.ts'

/** Returns `length` bytes of a cryptographically secure generator. */
export type RandomSource = (length: number) => Promise<Uint8Array>

const POOL_BYTES = 2048
/** Refill threshold: more than ten concurrent requests, including a handshake, can take. */
const LOW_BYTES = 1024

/** `wx.getRandomValues`. */
export function wxRandom(wx: WeChat): RandomSource {
  return async (length) => {
    const { randomValues } = await promised<{ randomValues: ArrayBuffer }>((callbacks) =>
      wx.getRandomValues({ length, ...callbacks }),
    )
    return new Uint8Array(randomValues)
  }
}

/** Random bytes, each used once. There is no fallback source. */
export class RandomPool {
  private readonly source: RandomSource
  private bytes: Uint8Array = new Uint8Array(0)
  private refill: Promise<void> | undefined

  constructor(source: RandomSource) {
    this.source = source
  }

  /**
   * Resolves when the pool suffices for a request or a handshake.
   * @throws ChannelError `no_random`.
   */
  async ready(): Promise<void> {
    while (this.bytes.length < LOW_BYTES) {
      this.refill ??= this.draw().finally(() => {
        this.refill = undefined
      })
      await this.refill
    }
  }

  /**
   * Takes the next `length` bytes.
   * @throws ChannelError `no_random` when the pool holds fewer.
   */
  take(length: number): Uint8Array {
    if (length > this.bytes.length) throw new ChannelError('no_random', 'the random pool is empty')
    const taken = this.bytes.slice(0, length)
    // The taken bytes may be a key: do not keep a copy.
    wipe(this.bytes.subarray(0, length))
    this.bytes = this.bytes.subarray(length)
    return taken
  }

  private async draw(): Promise<void> {
    const drawn = await wrapErrors('no_random', 'the random source failed', () => this.source(POOL_BYTES))
    // Some simulators return zeros, which would give every device the same key.
    if (drawn.length !== POOL_BYTES || isAllZero(drawn)) {
      throw new ChannelError('no_random', 'the random source returned no random bytes')
    }
    // Copied: `slice` of a Node Buffer is a view, and wiping the pool would wipe the taken bytes.
    this.bytes = new Uint8Array(drawn)
  }
}
