/** Actions of clients, attackers and operators, each with its result by the protocol (sections 5 to 8). */
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
  if (found === undefined) throw new Error('the list is empty')
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

/** The code of the response to a request with a used key. */
function answerTo({ state }: ModelKey, isSame: boolean): string {
  if (state === 'cancelled') return 'request_cancelled'
  if (!isSame) return 'idempotency_mismatch'
  if (state === 'none') return 'not_found'
  return state === 'answered' ? '201' : 'idempotency_in_progress'
}

/** The outcome `none` is only for keys whose request never has an effect. */
function expectOutcome({ json }: ReceivedReply, code: string, { state }: ModelKey): void {
  if (json?.outcome === 'none') expect(['none', 'cancelled']).toContain(state)
  if (code === 'not_found' || code === 'request_cancelled') expect(json.outcome).toBe('none')
  if (code === 'internal' || code === 'idempotency_in_progress') expect(json.outcome).toBe('unknown')
}

/** @param title describes the command in a counterexample */
const command = (
  title: string,
  check: (model: Model) => boolean,
  run: (model: Model, real: RealExchange) => Promise<void>,
): Command => ({ check, run, toString: () => title })

const hasSession = (model: Model): boolean => model.sessions.length > 0

export const logInNewDevice: Command = command(
  'log in with a new device',
  (model) => model.sessions.length < 4,
  async (model, real) => {
    model.sessions.push({ real: await logIn(real.service, { openid: model.openid }), state: 'active' })
  },
)

/** A request with a new key. */
const ask = (at: number, path: Path, size: number): Command =>
  command(`ask ${path} with body ${size} in session ${at}`, hasSession, async (model, real) => {
    const session = model.session(at)
    const state = states[path]
    const key: ModelKey = { name: newName(), path, size, state, answer: undefined }
    const prepared = prepare(session, key)
    const reply = await send(real.service, prepared)
    expect(codeOf(reply)).toBe(refusalIn(session) ?? codes[state])
    if (session.state !== 'active') return
    expectOutcome(reply, codeOf(reply), key)
    model.frames.push({ prepared, session })
    model.keys.push({ ...key, answer: reply.json?.effect })
  })

/** A request with a used key. @param more changes the body unless it is 0 */
const askAgain = (at: number, keyAt: number, more: number): Command =>
  command(
    `ask again for key ${keyAt}${more > 0 ? ' with another body' : ''} in session ${at}`,
    (model) => model.used().length > 0,
    async (model, real) => {
      const session = model.session(at)
      const key = pick(model.used(), keyAt)
      const prepared = prepare(session, { ...key, size: key.size + more })
      const reply = await send(real.service, prepared)
      expect(codeOf(reply)).toBe(refusalIn(session) ?? answerTo(key, more === 0))
      if (session.state !== 'active') return
      model.frames.push({ prepared, session })
      expectOutcome(reply, codeOf(reply), key)
      if (codeOf(reply) === '201') expect(reply.json.effect).toBe(key.answer)
    },
  )

/** A copy of a frame may be detected before the session is checked. */
function expectRefused(codes: readonly string[], refusal: string, isSameFrame: boolean): void {
  const allowed = isSameFrame ? [refusal, 'replayed'] : [refusal]
  for (const code of codes) expect(allowed).toContain(code)
  expect(codes).toContain(refusal)
}

/** Two at once: the same frame twice, or two frames with one new key. */
const askTwice = (at: number, isSameFrame: boolean): Command =>
  command(
    `ask twice at once with one ${isSameFrame ? 'frame' : 'key'} in session ${at}`,
    hasSession,
    async (model, real) => {
      const session = model.session(at)
      const key = { name: newName(), path: 'works', size: 1 } as const
      const first = prepare(session, key)
      const second = isSameFrame ? first : prepare(session, key)
      const reply = await Promise.all([send(real.service, first), send(real.service, second)])
      const refusal = refusalIn(session)
      if (refusal !== undefined) return expectRefused(reply.map(codeOf), refusal, isSameFrame)
      const answers = reply.filter(({ status }) => status === 201).map(({ json }) => json.effect as string)
      const others = reply.map(codeOf).filter((code) => code !== '201')
      expect(new Set(answers).size).toBe(1)
      // The loser of two frames with one key gets the same response, or the other one is in progress.
      const allowed = isSameFrame ? ['replayed'] : ['idempotency_in_progress']
      for (const code of others) expect(allowed).toContain(code)
      if (isSameFrame) expect(others).toHaveLength(1)
      model.frames.push({ prepared: first, session })
      model.keys.push({ ...key, state: 'answered', answer: answers[0] })
    },
  )

/** The network sends a frame before the phone's own copy, and drops the response. */
const copyFirst = (at: number, path: Path): Command =>
  command(`ask ${path} in session ${at}, after the network's own copy`, hasSession, async (model, real) => {
    const session = model.session(at)
    const key: ModelKey = { name: newName(), path, size: 1, state: states[path], answer: undefined }
    const prepared = prepare(session, key)
    const first = await send(real.service, prepared)
    const reply = await send(real.service, prepared)
    expect(codeOf(reply)).toBe(refusalIn(session) ?? 'replayed')
    expect(reply.json).not.toHaveProperty('outcome')
    if (session.state !== 'active') return
    model.frames.push({ prepared, session })
    model.keys.push({ ...key, answer: first.json?.effect })
  })

const hold = (at: number, keyAt: number): Command =>
  command(`the network holds a request with key ${keyAt} of session ${at}`, hasSession, async (model) => {
    const session = model.session(at)
    const isOld = keyAt % 2 === 0 && model.keys.length > 0
    const fresh: ModelKey = { name: newName(), path: 'works', size: 1, state: 'unclaimed', answer: undefined }
    const key = isOld ? pick(model.keys, keyAt) : fresh
    if (!isOld) model.keys.push(key)
    model.held.push({ prepared: prepare(session, key), session, key })
  })

const release = (at: number): Command =>
  command(
    `the network releases request ${at}`,
    (model) => model.held.length > 0,
    async (model, real) => {
      const held = pick(model.held, at)
      model.held.splice(model.held.indexOf(held), 1)
      const { prepared, session, key } = held
      const reply = await send(real.service, prepared)
      const isFirst = key.state === 'unclaimed'
      expect(codeOf(reply)).toBe(refusalIn(session) ?? (isFirst ? '201' : answerTo(key, true)))
      if (session.state !== 'active') return
      if (isFirst) Object.assign(key, { state: 'answered', answer: reply.json.effect })
      expectOutcome(reply, codeOf(reply), key)
      model.frames.push({ prepared, session })
    },
  )

/** A query or a cancellation of an outcome. */
const askOutcome = (at: number, keyAt: number, method: 'GET' | 'DELETE'): Command =>
  command(
    `${method} the outcome of key ${keyAt} in session ${at}`,
    (model) => model.keys.length > 0,
    async (model, real) => {
      const session = model.session(at)
      const key = pick(model.keys, keyAt)
      const reply = await session.real.send(
        { method, path: outcomePath(key.name), key: undefined },
        real.service,
      )
      const isCancelling = method === 'DELETE'
      const unknown = isCancelling ? 'idempotency_in_progress' : '200'
      expect(codeOf(reply)).toBe(refusalIn(session) ?? (key.state === 'unknown' ? unknown : '200'))
      if (session.state !== 'active') return
      if (isCancelling && key.state === 'unclaimed') key.state = 'cancelled'
      const outcomes = { answered: 'done', cancelled: 'none' } as const
      const { state } = key
      expect(reply.json.outcome).toBe(state === 'answered' || state === 'cancelled' ? outcomes[state] : state)
    },
  )

const replay = (at: number, copies: number): Command =>
  command(
    `replay frame ${at}, ${copies} times`,
    (model) => model.frames.length > 0,
    async (model, real) => {
      const { session, prepared } = pick(model.frames, at)
      const expected = session.state === 'revoked' ? 'key_revoked' : 'replayed'
      const sent = Array.from({ length: copies }, () => send(real.service, prepared))
      for (const reply of await Promise.all(sent)) expect(codeOf(reply)).toBe(expected)
    },
  )

/** One device of the user revokes another one, or itself. */
const revoke = (at: number, revokedAt: number): Command =>
  command(`revoke the device of session ${revokedAt} in session ${at}`, hasSession, async (model, real) => {
    const session = model.session(at)
    const revoked = model.session(revokedAt)
    const path = `/devices/${revoked.real.device.signer.keyid}`
    const reply = await session.real.send({ method: 'DELETE', path }, real.service)
    expect(codeOf(reply)).toBe(refusalIn(session) ?? (revoked.state === 'revoked' ? 'not_found' : '204'))
    if (reply.status === 204) revoked.state = 'revoked'
  })

const logOut = (at: number): Command =>
  command(`log out of session ${at}`, hasSession, async (model, real) => {
    const session = model.session(at)
    const reply = await session.real.send({ method: 'DELETE', path: '/sessions/current' }, real.service)
    expect(codeOf(reply)).toBe(refusalIn(session) ?? '204')
    if (session.state === 'active') session.state = 'ended'
  })

const renew = (at: number): Command =>
  command(`renew the token of session ${at}`, hasSession, async (model, real) => {
    const session = model.session(at)
    const reply = await session.real.send({ method: 'POST', path: '/sessions/current/token' }, real.service)
    expect(codeOf(reply)).toBe(refusalIn(session) ?? '201')
    if (session.state === 'active') session.real.token = reply.json.access_token
  })

const restart = command(
  'the service stops and starts again',
  () => true,
  (_model, real) => real.restart(),
)

const index = fc.nat(5)
const path = fc.constantFrom<Path>('works', 'works', 'fails', 'nothing')

/** Commands with effects are more frequent than those that end sessions. */
export const commands: fc.Arbitrary<Command>[] = [
  fc.constant(logInNewDevice),
  ...Array(3).fill(fc.tuple(index, path, fc.nat(1)).map((args) => ask(...args))),
  ...Array(2).fill(fc.tuple(index, index, fc.constantFrom(0, 0, 7)).map((args) => askAgain(...args))),
  fc.tuple(index, path).map((args) => copyFirst(...args)),
  ...Array(2).fill(fc.tuple(index, index).map((args) => hold(...args))),
  ...Array(2).fill(index.map(release)),
  ...Array(2).fill(
    fc.tuple(index, index, fc.constantFrom('GET', 'DELETE', 'DELETE')).map((args) => askOutcome(...args)),
  ),
  fc.tuple(index, fc.boolean()).map((args) => askTwice(...args)),
  fc.tuple(index, fc.integer({ min: 1, max: 3 })).map((args) => replay(...args)),
  fc.tuple(index, index).map((args) => revoke(...args)),
  index.map(logOut),
  index.map(renew),
  fc.constant(restart),
]
