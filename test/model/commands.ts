/** What clients, attackers and operators do, each with what the protocol says comes of it (sections 5 to 8). */
import fc from 'fast-check'
import { expect } from 'vitest'
import { encodeBase64Url } from '../../crypto/text.ts'
import { logIn, type Prepared, random, send } from '../support/raw-client.ts'
import {
  type Command,
  codeOf,
  type Model,
  type ModelKey,
  type ModelSession,
  type Path,
  refusalIn,
} from './model.ts'
import { paths, type RealExchange } from './real-exchange.ts'

function prepare(
  { real }: ModelSession,
  { path, size, name }: Pick<ModelKey, 'path' | 'size' | 'name'>,
): Prepared {
  return real.prepare({ method: 'POST', path: paths[path], body: { size }, key: name })
}

const codes = { answered: '201', unknown: 'internal', free: 'not_found' } as const
const states = { works: 'answered', fails: 'unknown', nothing: 'free' } as const

export class LogIn implements Command {
  check = (model: Model) => model.sessions.length < 4
  async run(model: Model, real: RealExchange): Promise<void> {
    model.sessions.push({ real: await logIn(real.service, { openid: model.openid }), state: 'active' })
  }
  toString = () => 'log in with a new device'
}

/** With a new key. */
class Ask implements Command {
  readonly #session: number
  readonly #path: Path
  readonly #size: number

  constructor(session: number, path: Path, size: number) {
    this.#session = session
    this.#path = path
    this.#size = size
  }

  check = (model: Model) => model.sessions.length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const session = model.session(this.#session)
    const key = { name: encodeBase64Url(random(9)), path: this.#path, size: this.#size }
    const prepared = prepare(session, key)
    const heard = await send(real.service, prepared)
    const state = states[this.#path]
    expect(codeOf(heard)).toBe(refusalIn(session) ?? codes[state])
    if (session.state !== 'active') return
    model.frames.push({ prepared, session })
    model.keys.push({ ...key, state, answer: heard.json?.effect })
  }
  toString = () => `ask ${this.#path} with body ${this.#size} in session ${this.#session}`
}

/** With a key that was used before; `more` is another body. */
class AskAgain implements Command {
  readonly #session: number
  readonly #key: number
  readonly #more: number

  constructor(session: number, key: number, more: number) {
    this.#session = session
    this.#key = key
    this.#more = more
  }

  check = (model: Model) => model.keys.length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const session = model.session(this.#session)
    const key = model.keys[this.#key % model.keys.length]
    if (key === undefined) throw new Error('there is no key')
    const prepared = prepare(session, { ...key, size: key.size + this.#more })
    const heard = await send(real.service, prepared)
    expect(codeOf(heard)).toBe(refusalIn(session) ?? this.#expected(key))
    if (session.state !== 'active') return
    model.frames.push({ prepared, session })
    if (codeOf(heard) === '201') expect(heard.json.effect).toBe(key.answer)
    if (codeOf(heard) === 'idempotency_in_progress') expect(heard.json.outcome).toBe('unknown')
  }

  #expected({ state }: ModelKey): string {
    if (state === 'free') return 'not_found'
    if (this.#more > 0) return 'idempotency_mismatch'
    return state === 'answered' ? '201' : 'idempotency_in_progress'
  }
  toString = () =>
    `ask again for key ${this.#key}${this.#more > 0 ? ' with another body' : ''} in session ${this.#session}`
}

/** Two at once: the same frame twice, or two frames with one new key. */
class AskTwice implements Command {
  readonly #session: number
  readonly #isSameFrame: boolean

  constructor(session: number, isSameFrame: boolean) {
    this.#session = session
    this.#isSameFrame = isSameFrame
  }

  check = (model: Model) => model.sessions.length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const session = model.session(this.#session)
    const key = { name: encodeBase64Url(random(9)), path: 'works', size: 1 } as const
    const first = prepare(session, key)
    const second = this.#isSameFrame ? first : prepare(session, key)
    const heard = await Promise.all([send(real.service, first), send(real.service, second)])
    const refusal = refusalIn(session)
    if (refusal !== undefined) {
      expect(heard.map(codeOf)).toEqual([refusal, refusal])
      return
    }
    const answers = heard.filter(({ status }) => status === 201).map(({ json }) => json.effect as string)
    const others = heard.map(codeOf).filter((code) => code !== '201')
    expect(new Set(answers).size).toBe(1)
    // The loser of two frames with one key either has the same answer, or is told that the other one runs.
    const allowed = this.#isSameFrame ? ['replayed'] : ['idempotency_in_progress']
    for (const code of others) expect(allowed).toContain(code)
    if (this.#isSameFrame) expect(others).toHaveLength(1)
    model.frames.push({ prepared: first, session })
    model.keys.push({ ...key, state: 'answered', answer: answers[0] })
  }
  toString = () =>
    `ask twice at once with one ${this.#isSameFrame ? 'frame' : 'key'} in session ${this.#session}`
}

class Replay implements Command {
  readonly #frame: number
  readonly #copies: number

  constructor(frame: number, copies: number) {
    this.#frame = frame
    this.#copies = copies
  }

  check = (model: Model) => model.frames.length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const recorded = model.frames[this.#frame % model.frames.length]
    if (recorded === undefined) throw new Error('there is no frame')
    const expected = recorded.session.state === 'revoked' ? 'key_revoked' : 'replayed'
    const copies = Array.from({ length: this.#copies }, () => send(real.service, recorded.prepared))
    for (const heard of await Promise.all(copies)) expect(codeOf(heard)).toBe(expected)
  }
  toString = () => `replay frame ${this.#frame}, ${this.#copies} times`
}

/** One device of the user revokes another one, or itself. */
class Revoke implements Command {
  readonly #session: number
  readonly #revoked: number

  constructor(session: number, revoked: number) {
    this.#session = session
    this.#revoked = revoked
  }

  check = (model: Model) => model.sessions.length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const session = model.session(this.#session)
    const revoked = model.session(this.#revoked)
    const path = `/devices/${revoked.real.device.signer.keyid}`
    const heard = await session.real.send({ method: 'DELETE', path }, real.service)
    expect(codeOf(heard)).toBe(refusalIn(session) ?? (revoked.state === 'revoked' ? 'not_found' : '204'))
    if (heard.status === 204) revoked.state = 'revoked'
  }
  toString = () => `revoke the device of session ${this.#revoked} in session ${this.#session}`
}

class LogOut implements Command {
  readonly #session: number

  constructor(session: number) {
    this.#session = session
  }

  check = (model: Model) => model.sessions.length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const session = model.session(this.#session)
    const heard = await session.real.send({ method: 'DELETE', path: '/sessions/current' }, real.service)
    expect(codeOf(heard)).toBe(refusalIn(session) ?? '204')
    if (session.state === 'active') session.state = 'ended'
  }
  toString = () => `log out of session ${this.#session}`
}

class Renew implements Command {
  readonly #session: number

  constructor(session: number) {
    this.#session = session
  }

  check = (model: Model) => model.sessions.length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const session = model.session(this.#session)
    const heard = await session.real.send({ method: 'POST', path: '/sessions/current/token' }, real.service)
    expect(codeOf(heard)).toBe(refusalIn(session) ?? '201')
    if (session.state === 'active') session.real.token = heard.json.access_token
  }
  toString = () => `renew the token of session ${this.#session}`
}

class Restart implements Command {
  check = () => true
  async run(_model: Model, real: RealExchange): Promise<void> {
    await real.restart()
  }
  toString = () => 'the service stops and starts again'
}

const index = fc.nat(5)
const path = fc.constantFrom<Path>('works', 'works', 'fails', 'nothing')

const ask = fc.tuple(index, path, fc.nat(1)).map(([session, chosen, size]) => new Ask(session, chosen, size))
const askAgain = fc
  .tuple(index, index, fc.constantFrom(0, 0, 7))
  .map(([session, key, more]) => new AskAgain(session, key, more))

/** What a run is made of: more of what has effects than of what ends sessions. */
export const commands: fc.Arbitrary<Command>[] = [
  fc.constant(new LogIn()),
  ask,
  ask,
  ask,
  askAgain,
  askAgain,
  fc.tuple(index, fc.boolean()).map(([session, isSameFrame]) => new AskTwice(session, isSameFrame)),
  fc.tuple(index, fc.integer({ min: 1, max: 3 })).map(([frame, copies]) => new Replay(frame, copies)),
  fc.tuple(index, index).map(([session, revoked]) => new Revoke(session, revoked)),
  index.map((session) => new LogOut(session)),
  index.map((session) => new Renew(session)),
  fc.constant(new Restart()),
]
