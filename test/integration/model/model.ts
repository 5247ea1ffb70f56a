/** The expected state after the commands of a run. */
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
   * `none`: the backend reported that it did nothing; `cancelled`: by the user; `unclaimed`: no request with it arrived.
   */
  state: 'answered' | 'unknown' | 'none' | 'cancelled' | 'unclaimed'
  answer: string | undefined
}

export class Model {
  readonly openid = encodeBase64Url(random(9))
  readonly sessions: ModelSession[] = []
  readonly keys: ModelKey[] = []
  /** Accepted frames that the attacker has recorded. */
  readonly frames: { readonly prepared: Prepared; readonly session: ModelSession }[] = []

  /** Signed requests that the network holds. */
  readonly held: { readonly prepared: Prepared; readonly session: ModelSession; readonly key: ModelKey }[] =
    []

  /** Keys of requests that arrived, and cancelled keys. */
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

/** The code of a refusal because of the session; `undefined` in an active session. */
export function refusalIn({ state }: ModelSession): string | undefined {
  if (state === 'active') return undefined
  return state === 'revoked' ? 'key_revoked' : 'session_ended'
}
