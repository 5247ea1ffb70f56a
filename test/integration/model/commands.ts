/** What clients, attackers and operators do, each with what the protocol says comes of it (sections 5 to 8). */
import fc from 'fast-check'
import { expect } from 'vitest'
import { encodeBase64Url } from '../../../crypto/text.ts'
import {
  logIn,
  outcomePath,
  type Prepared,
  type ReceivedReply,
  random,
  send,
} from '../../support/raw-client.ts'
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

const newName = (): string => encodeBase64Url(random(9))

function pick<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length]
  if (found === undefined) throw new Error('there is none')
  return found
}

function prepare(
  { real }: ModelSession,
  { path, size, name }: Pick<ModelKey, 'path' | 'size' | 'name'>,
): Prepared {
  return real.prepare({ method: 'POST', path: paths[path], body: { size }, key: name })
}

const codes = { answered: '201', unknown: 'internal', none: 'not_found' } as const
const states = { works: 'answered', fails: 'unknown', nothing: 'none' } as const

/** What a request with a key that was used before is answered. */
function answerTo({ state }: ModelKey, isSame: boolean): string {
  if (state === 'cancelled') return 'request_cancelled'
  if (!isSame) return 'idempotency_mismatch'
  if (state === 'none') return 'not_found'
  return state === 'answered' ? '201' : 'idempotency_in_progress'
}

/** Only what the key's state says for ever may say that nothing has happened. */
function expectOutcome({ json }: ReceivedReply, code: string, { state }: ModelKey): void {
  if (json?.outcome === 'none') expect(['none', 'cancelled']).toContain(state)
  if (code === 'not_found' || code === 'request_cancelled') expect(json.outcome).toBe('none')
  if (code === 'internal' || code === 'idempotency_in_progress') expect(json.outcome).toBe('unknown')
}

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
    const path = this.#path
    const state = states[path]
    const key: ModelKey = { name: newName(), path, size: this.#size, state, answer: undefined }
    const prepared = prepare(session, key)
    const heard = await send(real.service, prepared)
    expect(codeOf(heard)).toBe(refusalIn(session) ?? codes[state])
    if (session.state !== 'active') return
    expectOutcome(heard, codeOf(heard), key)
    model.frames.push({ prepared, session })
    model.keys.push({ ...key, answer: heard.json?.effect })
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

  check = (model: Model) => model.used().length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const session = model.session(this.#session)
    const key = pick(model.used(), this.#key)
    const prepared = prepare(session, { ...key, size: key.size + this.#more })
    const heard = await send(real.service, prepared)
    expect(codeOf(heard)).toBe(refusalIn(session) ?? answerTo(key, this.#more === 0))
    if (session.state !== 'active') return
    model.frames.push({ prepared, session })
    expectOutcome(heard, codeOf(heard), key)
    if (codeOf(heard) === '201') expect(heard.json.effect).toBe(key.answer)
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
    const key = { name: newName(), path: 'works', size: 1 } as const
    const first = prepare(session, key)
    const second = this.#isSameFrame ? first : prepare(session, key)
    const heard = await Promise.all([send(real.service, first), send(real.service, second)])
    const refusal = refusalIn(session)
    if (refusal !== undefined) {
      // A copy may be seen for one before the session is looked at.
      const allowed = this.#isSameFrame ? [refusal, 'replayed'] : [refusal]
      for (const code of heard.map(codeOf)) expect(allowed).toContain(code)
      expect(heard.map(codeOf)).toContain(refusal)
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

/** The network sends a frame before the phone's own copy, and drops the answer. */
class CopyFirst implements Command {
  readonly #session: number
  readonly #path: Path

  constructor(session: number, path: Path) {
    this.#session = session
    this.#path = path
  }

  check = (model: Model) => model.sessions.length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const session = model.session(this.#session)
    const state = states[this.#path]
    const key: ModelKey = { name: newName(), path: this.#path, size: 1, state, answer: undefined }
    const prepared = prepare(session, key)
    const first = await send(real.service, prepared)
    const heard = await send(real.service, prepared)
    expect(codeOf(heard)).toBe(refusalIn(session) ?? 'replayed')
    expect(heard.json).not.toHaveProperty('outcome')
    if (session.state !== 'active') return
    model.frames.push({ prepared, session })
    model.keys.push({ ...key, answer: first.json?.effect })
  }
  toString = () => `ask ${this.#path} in session ${this.#session}, after the network's own copy`
}

/** The network takes a frame and keeps it. */
class Hold implements Command {
  readonly #session: number
  readonly #key: number

  constructor(session: number, key: number) {
    this.#session = session
    this.#key = key
  }

  check = (model: Model) => model.sessions.length > 0
  async run(model: Model): Promise<void> {
    const session = model.session(this.#session)
    const isOld = this.#key % 2 === 0 && model.keys.length > 0
    const fresh: ModelKey = { name: newName(), path: 'works', size: 1, state: 'unclaimed', answer: undefined }
    const key = isOld ? pick(model.keys, this.#key) : fresh
    if (!isOld) model.keys.push(key)
    model.held.push({ prepared: prepare(session, key), session, key })
  }
  toString = () => `the network holds a request with key ${this.#key} of session ${this.#session} back`
}

class Release implements Command {
  readonly #held: number

  constructor(held: number) {
    this.#held = held
  }

  check = (model: Model) => model.held.length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const [held] = model.held.splice(this.#held % model.held.length, 1)
    if (held === undefined) throw new Error('nothing is held')
    const { prepared, session, key } = held
    const heard = await send(real.service, prepared)
    const isFirst = key.state === 'unclaimed'
    expect(codeOf(heard)).toBe(refusalIn(session) ?? (isFirst ? '201' : answerTo(key, true)))
    if (session.state !== 'active') return
    if (isFirst) Object.assign(key, { state: 'answered', answer: heard.json.effect })
    expectOutcome(heard, codeOf(heard), key)
    model.frames.push({ prepared, session })
  }
  toString = () => `the network lets ${this.#held} through`
}

/** A person gives up, or asks only. */
class GiveUp implements Command {
  readonly #session: number
  readonly #key: number
  readonly #method: 'GET' | 'DELETE'

  constructor(session: number, key: number, method: 'GET' | 'DELETE') {
    this.#session = session
    this.#key = key
    this.#method = method
  }

  check = (model: Model) => model.keys.length > 0
  async run(model: Model, real: RealExchange): Promise<void> {
    const session = model.session(this.#session)
    const key = pick(model.keys, this.#key)
    const parts = { method: this.#method, path: outcomePath(key.name), key: undefined }
    const heard = await session.real.send(parts, real.service)
    const isCancelling = this.#method === 'DELETE'
    const unknown = isCancelling ? 'idempotency_in_progress' : '200'
    expect(codeOf(heard)).toBe(refusalIn(session) ?? (key.state === 'unknown' ? unknown : '200'))
    if (session.state !== 'active') return
    if (isCancelling && key.state === 'unclaimed') key.state = 'cancelled'
    const outcomes = { answered: 'done', cancelled: 'none' } as const
    const { state } = key
    expect(heard.json.outcome).toBe(state === 'answered' || state === 'cancelled' ? outcomes[state] : state)
  }
  toString = () => `${this.#method} the outcome of key ${this.#key} in session ${this.#session}`
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

const giveUp = fc
  .tuple(index, index, fc.constantFrom<'GET' | 'DELETE'>('GET', 'DELETE', 'DELETE'))
  .map(([session, key, method]) => new GiveUp(session, key, method))

/** What a run is made of: more of what has effects than of what ends sessions. */
export const commands: fc.Arbitrary<Command>[] = [
  fc.constant(new LogIn()),
  ask,
  ask,
  ask,
  askAgain,
  askAgain,
  fc.tuple(index, path).map(([session, chosen]) => new CopyFirst(session, chosen)),
  fc.tuple(index, index).map(([session, key]) => new Hold(session, key)),
  fc.tuple(index, index).map(([session, key]) => new Hold(session, key)),
  index.map((held) => new Release(held)),
  index.map((held) => new Release(held)),
  giveUp,
  giveUp,
  fc.tuple(index, fc.boolean()).map(([session, isSameFrame]) => new AskTwice(session, isSameFrame)),
  fc.tuple(index, fc.integer({ min: 1, max: 3 })).map(([frame, copies]) => new Replay(frame, copies)),
  fc.tuple(index, index).map(([session, revoked]) => new Revoke(session, revoked)),
  index.map((session) => new LogOut(session)),
  index.map((session) => new Renew(session)),
  fc.constant(new Restart()),
]
