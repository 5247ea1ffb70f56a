/** Channel configurations: fetched, verified with the pinned root keys, cached until they expire. */
import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { ChannelConfiguration, PublishedKey } from 'miniseal-protocol/frames/channel-configuration'
import { verifyConfiguration } from 'miniseal-protocol/frames/channel-configuration'
import { verifyResponse } from 'miniseal-protocol/http-signatures/signed-response'
import { decodeAscii } from 'miniseal-protocol/text'
import type { Environment } from './environment.ts'
import { ChannelError, verifyOrThrow, wrapProtocolErrors } from './errors.ts'
import { sendOver } from './post-frame.ts'
import { clearAnswerError } from './problem.ts'

/** Seconds. Covers HTTP caches (one minute) and clock skew between the processes of a service. */
const IAT_TOLERANCE = 300
/** Seconds. A stored `iat` further in the future than this is discarded. */
const MAX_IAT_AHEAD = 86_400

export class Configurations {
  private readonly environment: Environment
  private cached: ChannelConfiguration | undefined
  /** The greatest accepted `iat`, UNIX seconds. */
  private newest = 0
  private fetching: Promise<ChannelConfiguration> | undefined

  constructor(environment: Environment) {
    this.environment = environment
  }

  /**
   * The current configuration.
   * @throws ChannelError `configuration_invalid` when it does not verify, has expired or belongs to another service;
   *   errors of the transport.
   */
  async current(): Promise<ChannelConfiguration> {
    const { cached } = this
    if (cached !== undefined && cached.exp > this.environment.clock.seconds()) return cached
    return this.fetch()
  }

  /** Fetches a replacement for `stale`, which lacks a key. @throws ChannelError as {@link current}. */
  async newerThan(stale: ChannelConfiguration): Promise<ChannelConfiguration> {
    if (this.cached === stale) this.cached = undefined
    return this.current()
  }

  /**
   * Verifies that the service signed `response` for exactly `request`. An unknown key means that keys were rotated: the
   * configuration is fetched again, once.
   *
   * @returns the signing time, UNIX seconds
   * @throws ChannelError `not_verified`, or as {@link current}.
   */
  async verify(request: RequestMessage, response: ResponseMessage): Promise<number> {
    const primitives = await this.environment.loadPrimitives()
    const verifyWith = ({ signing }: ChannelConfiguration): number => {
      const now = this.environment.clock.seconds()
      const keys = signing.filter((key) => !hasExpired(key, now))
      return verifyOrThrow(() => verifyResponse(primitives, response, request, keys).created)
    }
    const configuration = await this.current()
    try {
      return verifyWith(configuration)
    } catch (error) {
      const isUnknownKey =
        error instanceof ChannelError &&
        error.cause instanceof ProtocolError &&
        error.cause.code === 'key_unknown'
      if (!isUnknownKey) throw error
    }
    return verifyWith(await this.newerThan(configuration))
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
    const { roots, clock } = environment
    const configuration = wrapProtocolErrors('configuration_invalid', 'invalid channel configuration', () =>
      verifyConfiguration(primitives, decodeAscii(answer.body), roots, clock.seconds()),
    )
    if (configuration.iss !== environment.origin) {
      throw new ChannelError('configuration_invalid', 'channel configuration of another service')
    }
    await this.assertNotRolledBack(configuration)
    this.cached = configuration
    return configuration
  }

  /**
   * Rejects rollback: an attacker on the network can replay an old, unexpired configuration with retired keys. The
   * greatest accepted `iat` is persisted across launches.
   *
   * @throws ChannelError `configuration_invalid`
   */
  private async assertNotRolledBack({ iat }: ChannelConfiguration): Promise<void> {
    const { environment } = this
    const name = `miniseal.configuration.${environment.authority}`
    const now = environment.clock.seconds()
    // An unreadable or implausible value is discarded; it must not lock the user out.
    const stored = Number((await environment.storage.get(name).catch(() => undefined)) ?? 0)
    this.newest = Math.max(this.newest, stored <= now + MAX_IAT_AHEAD ? stored : 0)
    if (iat < this.newest - IAT_TOLERANCE)
      throw new ChannelError('configuration_invalid', 'channel configuration rolled back')
    // An `iat` in the future (wrong service clock) must not make later configurations look rolled back.
    const accepted = Math.min(iat, now + IAT_TOLERANCE)
    if (accepted <= this.newest) return
    this.newest = accepted
    if (accepted > stored) await environment.storage.set(name, String(accepted)).catch(() => undefined)
  }
}

/**
 * The newest agreement key that is valid at `now`. Before the first signed answer the clock may be wrong, so the first
 * key is used when none is valid; the service rejects a retired key.
 */
export function agreementKeyAt(configuration: ChannelConfiguration, now: number): PublishedKey {
  const valid = configuration.agreement.filter((key) => key.nbf <= now && !hasExpired(key, now))
  const [first, ...rest] = valid.length > 0 ? valid : configuration.agreement
  if (first === undefined) throw new ChannelError('configuration_invalid', 'no agreement key')
  return rest.reduce((newest, key) => (key.nbf > newest.nbf ? key : newest), first)
}

function hasExpired(key: PublishedKey, now: number): boolean {
  return key.exp !== 0 && key.exp <= now
}
