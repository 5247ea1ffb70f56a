/** What should be, as the commands of a run leave it. */
import type fc from 'fast-check'
import { encodeBase64Url } from '../../../crypto/text.ts'
import type { Prepared, RawSession, ReceivedReply } from '../../support/raw-client.ts'
import { random } from '../../support/raw-client.ts'
import type { paths, RealExchange } from './real-exchange.ts'

export type Path = keyof typeof paths

export interface ModelSession {
  readonly real: RawSession
  state: 'active' | 'ended' | 'revoked'
}

export interface ModelKey {
  readonly name: string
  readonly path: Path
  /** The body of the request that has it. */
  readonly size: number
  /**
   * `none`: the backend said that it did nothing; `cancelled`: a person gave up; `unclaimed`: nothing with it has arrived.
   */
  state: 'answered' | 'unknown' | 'none' | 'cancelled' | 'unclaimed'
  answer: string | undefined
}

export class Model {
  readonly openid = encodeBase64Url(random(9))
  readonly sessions: ModelSession[] = []
  readonly keys: ModelKey[] = []
  /** What the attacker has recorded; each was accepted. */
  readonly frames: { readonly prepared: Prepared; readonly session: ModelSession }[] = []

  /** What the network holds back: signed requests that nobody has received. */
  readonly held: { readonly prepared: Prepared; readonly session: ModelSession; readonly key: ModelKey }[] =
    []

  /** The keys that something has arrived with, or that were given up. */
  used(): readonly ModelKey[] {
    return this.keys.filter(({ state }) => state !== 'unclaimed')
  }

  session(index: number): ModelSession {
    const session = this.sessions[index % this.sessions.length]
    if (session === undefined) throw new Error('there is no session')
    return session
  }
}

export type Command = fc.AsyncCommand<Model, RealExchange>

export const codeOf = ({ json, status }: ReceivedReply): string => json?.code ?? String(status)

/** What is said to a request that would be accepted in an active session. `undefined`: it is. */
export function refusalIn({ state }: ModelSession): string | undefined {
  if (state === 'active') return undefined
  return state === 'revoked' ? 'key_revoked' : 'session_ended'
}
