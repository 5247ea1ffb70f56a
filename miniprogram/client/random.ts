/** Random bytes: WeChat draws them asynchronously, signing takes them at once, so a pool stands between. */
import { isAllZero, wipe } from 'miniseal-protocol/bytes'
import { ChannelError, failWith } from './errors.ts'
import type { WeChat } from './wx.ts'

/** Draws `length` bytes of a cryptographic generator. */
export type RandomSource = (length: number) => Promise<Uint8Array>

const POOL_BYTES = 2048
/** Below this a refill starts: more than ten requests that start at once, a handshake among them, can take. */
const LOW_BYTES = 1024

/** `wx.getRandomValues`. @throws ChannelError `no_random`. */
export function wxRandom(weChat: WeChat): RandomSource {
  return (length) =>
    new Promise((resolve, reject) => {
      weChat.getRandomValues({
        length,
        success: ({ randomValues }) => resolve(new Uint8Array(randomValues)),
        fail: (cause) => reject(new ChannelError('no_random', 'wx.getRandomValues failed', { cause })),
      })
    })
}

/** Bytes drawn in advance, each given out once. There is no other source behind it. */
export class RandomPool {
  private readonly source: RandomSource
  private bytes: Uint8Array = new Uint8Array(0)
  private refill: Promise<void> | undefined

  constructor(source: RandomSource) {
    this.source = source
  }

  /**
   * Resolves when there is enough for a request or a handshake.
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
   * The next `length` bytes.
   * @throws ChannelError `no_random` when the pool holds fewer.
   */
  take(length: number): Uint8Array {
    if (length > this.bytes.length) throw new ChannelError('no_random', 'the random pool is empty')
    const taken = this.bytes.slice(0, length)
    // What was given out must not be read here later: it may be a key now.
    wipe(this.bytes.subarray(0, length))
    this.bytes = this.bytes.subarray(length)
    return taken
  }

  private async draw(): Promise<void> {
    const drawn = await failWith('no_random', 'the random source failed', () => this.source(POOL_BYTES))
    // Simulators are known to answer with zeros; a pool of them would give every device the same keys.
    if (drawn.length !== POOL_BYTES || isAllZero(drawn)) {
      throw new ChannelError('no_random', 'the random source gave no random bytes')
    }
    // Copied into a plain array: Node's Buffer has a `slice` that is a view, and wiping it would wipe what was taken.
    this.bytes = new Uint8Array(drawn)
  }
}
