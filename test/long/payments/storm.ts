/** A hostile network: it copies, delays, reorders, drops and later releases frames. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TransportAnswer } from '../../../miniprogram/client/transports/transport.ts'
import type { LyingNetwork } from '../../support/lying-network.ts'

export class Storm {
  readonly counts = { frames: 0, copies: 0, delays: 0, lostRequests: 0, lostAnswers: 0, lateReleases: 0 }
  private readonly network: LyingNetwork
  /** Frames to be released late. */
  private held: Uint8Array[] = []

  constructor(network: LyingNetwork) {
    this.network = network
    network.treat = (frame) => this.treat(frame)
  }

  /** Makes the network reliable, and resolves when all delayed frames have arrived. */
  async end(): Promise<void> {
    const { network, held, counts } = this
    network.treat = (frame, pass) => pass(frame)
    this.held = []
    counts.lateReleases += held.length
    await Promise.all(held.map((frame) => this.dropAnswer(frame)))
  }

  private async treat(frame: Uint8Array): Promise<TransportAnswer | undefined> {
    const { counts, network } = this
    counts.frames += 1
    this.releaseOne()
    switch (Math.floor(Math.random() * 14)) {
      case 0:
        counts.copies += 1
        await this.dropAnswer(frame)
        return network.pass(frame)
      case 1:
        counts.copies += 1
        void this.dropAnswer(frame)
        return network.pass(frame)
      case 2:
        counts.copies += 1
        this.held.push(frame)
        return network.pass(frame)
      case 3:
        counts.delays += 1
        await sleep(Math.random() * 400)
        return network.pass(frame)
      case 4:
        counts.lostRequests += 1
        return undefined
      case 5:
        counts.lostAnswers += 1
        await this.dropAnswer(frame)
        return undefined
      case 6:
      case 7:
        this.held.push(frame)
        return undefined
      default:
        return network.pass(frame)
    }
  }

  private releaseOne(): void {
    if (Math.random() > 0.2) return
    const [frame] = this.held.splice(Math.floor(Math.random() * this.held.length), 1)
    if (frame === undefined) return
    this.counts.lateReleases += 1
    void this.dropAnswer(frame)
  }

  /** A service that is down sends no response. */
  private async dropAnswer(frame: Uint8Array): Promise<void> {
    await this.network.pass(frame).catch(() => undefined)
  }
}
