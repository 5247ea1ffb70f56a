/** The service's published keys: fetched, verified with the pinned roots, kept until they end. */

import { FormatError, ProtocolError } from 'miniseal-protocol/errors'
import type { ChannelConfiguration, PublishedKey } from 'miniseal-protocol/frames/channel-configuration'
import { verifyConfiguration } from 'miniseal-protocol/frames/channel-configuration'
import { decodeAscii } from 'miniseal-protocol/text'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import { clearAnswerError } from './problem.ts'
import { sendOver } from './send.ts'

/** Seconds: caches on the way give the same configuration for a minute, and the clocks of a service's processes differ. */
const TOLERANCE = 300
/** Seconds, by the corrected clock: no service of ours publishes for later. */
const FARTHEST = 86_400

export class Configurations {
  private readonly environment: Environment
  private cached: ChannelConfiguration | undefined
  /** The greatest `iat` that was accepted, UNIX seconds. */
  private newest = 0
  private fetching: Promise<ChannelConfiguration> | undefined

  constructor(environment: Environment) {
    this.environment = environment
  }

  /**
   * The configuration in force.
   * @throws ChannelError `configuration_invalid` when it does not verify, has ended or is another service's; those of
   *   the transport.
   */
  async current(): Promise<ChannelConfiguration> {
    const { cached } = this
    if (cached !== undefined && cached.exp > this.environment.clock.seconds()) return cached
    return this.fetch()
  }

  /** A newer configuration than `stale`, which turned out not to know a key. @throws ChannelError as `current`. */
  async newerThan(stale: ChannelConfiguration): Promise<ChannelConfiguration> {
    if (this.cached === stale) this.cached = undefined
    return this.current()
  }

  private fetch(): Promise<ChannelConfiguration> {
    this.fetching ??= this.download().finally(() => {
      this.fetching = undefined
    })
    return this.fetching
  }

  private async download(): Promise<ChannelConfiguration> {
    const { environment } = this
    const primitives = await environment.loadPrimitives()
    const answer = await environment.queue.run('high', () =>
      sendOver(environment, {
        url: `${environment.origin}/.well-known/miniseal`,
        method: 'GET',
        headers: { accept: 'application/jose' },
        body: undefined,
      }),
    )
    if (answer.status !== 200) throw clearAnswerError(answer)
    const configuration = verified(() => {
      return verifyConfiguration(
        primitives,
        decodeAscii(answer.body),
        environment.roots,
        environment.clock.seconds(),
      )
    })
    if (configuration.iss !== environment.origin) {
      throw new ChannelError('configuration_invalid', 'the channel configuration is of another service')
    }
    await this.assertNotRolledBack(configuration)
    this.cached = configuration
    return configuration
  }

  /**
   * The network can keep an old configuration back as long as it has not ended, and with it keys that the service has
   * retired. So the time of the newest one that was seen is kept, also from launch to launch.
   *
   * @throws ChannelError `configuration_invalid`
   */
  private async assertNotRolledBack({ iat }: ChannelConfiguration): Promise<void> {
    const { environment } = this
    const name = `miniseal.configuration.${environment.authority}`
    const now = environment.clock.seconds()
    // What cannot be read, or is far ahead, is as good as lost, and shuts nobody out.
    const stored = Number((await environment.storage.get(name).catch(() => undefined)) ?? 0)
    this.newest = Math.max(this.newest, stored <= now + FARTHEST ? stored : 0)
    if (iat < this.newest - TOLERANCE)
      throw new ChannelError(
        'configuration_invalid',
        'the channel configuration is older than one seen before',
      )
    // One from the future, of a service whose clock was wrong for a moment, must not make all others look old.
    const believed = Math.min(iat, now + TOLERANCE)
    if (believed <= this.newest) return
    this.newest = believed
    if (believed > stored) await environment.storage.set(name, String(believed)).catch(() => undefined)
  }
}

/**
 * The agreement key to use: the newest that is valid now. When none is, by a clock that may be wrong before the
 * first signed answer, the first one: the service refuses a key that it has retired.
 */
export function agreementKeyAt(configuration: ChannelConfiguration, now: number): PublishedKey {
  const valid = configuration.agreement.filter((key) => key.nbf <= now && !hasEnded(key, now))
  const [first, ...rest] = valid.length > 0 ? valid : configuration.agreement
  if (first === undefined) throw new ChannelError('configuration_invalid', 'no agreement key is published')
  return rest.reduce((newest, key) => (key.nbf > newest.nbf ? key : newest), first)
}

/** The keys that may have signed an answer now. */
export function signingKeysAt(configuration: ChannelConfiguration, now: number): readonly PublishedKey[] {
  return configuration.signing.filter((key) => !hasEnded(key, now))
}

function verified(verify: () => ChannelConfiguration): ChannelConfiguration {
  try {
    return verify()
  } catch (cause) {
    if (!(cause instanceof ProtocolError || cause instanceof FormatError)) throw cause
    throw new ChannelError('configuration_invalid', 'the channel configuration is not acceptable', { cause })
  }
}

function hasEnded(key: PublishedKey, now: number): boolean {
  return key.exp !== 0 && key.exp <= now
}
