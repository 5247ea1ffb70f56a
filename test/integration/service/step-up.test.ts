/** Protocol section 9: a transfer above the limit runs only after its user confirmed exactly this transfer. */
import { expect, it } from 'vitest'
import { decodeBase64Url } from '../../../crypto/text.ts'
import {
  confirm,
  confirmation,
  type SoterResult,
  stepUpField,
  withStepUp,
} from '../../support/confirmation.ts'
import { ownService, sharedService } from '../../support/hooks.ts'
import type { ReceivedReply, RequestParts } from '../../support/raw-client.ts'
import { logIn, newDevice, type RawSession, random } from '../../support/raw-client.ts'
import { sandboxCalls, type TestService } from '../../support/service.ts'

let openid: string
let session: RawSession
let people = 0

const service = sharedService()

/** A new user, so that every test has a full wallet. */
async function newPerson(on: TestService = service): Promise<{ openid: string; session: RawSession }> {
  people += 1
  const name = `openid-step-up-${people}`
  return { openid: name, session: await logIn(on, { openid: name }) }
}

const transfer = (amount = 200_000, payee = 'bob', key = `k-${people}`): RequestParts => ({
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee, amount, currency: 'CNY' },
  key,
})

async function ask(parts: RequestParts = transfer(), by: RawSession = session): Promise<string> {
  const received = await by.send(parts)
  expect(received.json.code).toBe('step_up_required')
  return received.json.challenge
}

const send = (parts: RequestParts, value: string, by: RawSession = session): Promise<ReceivedReply> =>
  by.send(withStepUp(parts, value))

async function balance(of: RawSession = session): Promise<number> {
  return (await of.send({ path: '/wallet' })).json.balance
}

function expectInvalid(received: ReceivedReply, detail: RegExp): void {
  expect(received).toMatchObject({
    kind: 'sealed',
    status: 401,
    json: { code: 'step_up_invalid', step: 'step-up', retryable: false },
  })
  expect(received.json.detail).toMatch(detail)
  expect(received.json).not.toHaveProperty('outcome')
}

const soterCalls = () => sandboxCalls(service, 'cgi-bin/soter/verify_signature')

async function fresh(): Promise<void> {
  ;({ openid, session } = await newPerson())
}

it('a transfer above the limit is refused without a confirmation: code, header, challenge and summary, and nothing moves', async () => {
  await fresh()
  const received = await session.send(transfer())
  expect(received).toMatchObject({
    kind: 'sealed',
    status: 401,
    json: {
      code: 'step_up_required',
      status: 401,
      summary: '2,000.00 元，转账给 bob',
      retryable: false,
    },
  })
  expect(received.fields).toContainEqual([
    'www-authenticate',
    'HTTPSig error="insufficient_user_authentication", acr_values="soter"',
  ])
  expect(decodeBase64Url(received.json.challenge)).toHaveLength(32)
  expect(await balance()).toBe(1_000_000)
})

it('each attempt of a transfer gets a new challenge', async () => {
  await fresh()
  expect(await ask()).not.toBe(await ask())
})

it('a transfer is made once, with a confirmation of exactly this transfer under the same key', async () => {
  await fresh()
  const challenge = await ask()
  const value = await confirmation(service, openid, challenge)
  const done = await send(transfer(), value)
  expect(done).toMatchObject({ status: 201, json: { status: 'done', amount: 200_000, balance: 800_000 } })
  const again = await send(transfer(), value)
  expect(again).toMatchObject({ status: 201, json: { id: done.json.id } })
  expect(again.fields).toContainEqual(['idempotency-replayed', 'true'])
  expect(await balance()).toBe(800_000)
})

it('a transfer above the balance needs no confirmation', async () => {
  await fresh()
  expect(await session.send(transfer(1_000_001))).toMatchObject({
    status: 422,
    json: { error: 'insufficient_funds', balance: 1_000_000 },
  })
})

it('a confirmation is bound to the device, not to its session', async () => {
  await fresh()
  const challenge = await ask()
  const result = await confirm(service, openid, challenge)
  const next = await logIn(service, { openid, device: session.device })
  expect((await send(transfer(), stepUpField(challenge, result), next)).status).toBe(201)
})

it('a transfer of at most 1000.00 CNY needs no confirmation and no call to WeChat', async () => {
  await fresh()
  const before = await soterCalls()
  expect((await session.send(transfer(100_000, 'bob', 'at'))).status).toBe(201)
  expect((await session.send(transfer(1, 'bob', 'below'))).status).toBe(201)
  expect((await session.send(transfer(100_001, 'bob', 'above'))).json.code).toBe('step_up_required')
  expect(await soterCalls()).toBe(before)
})

type Bent = readonly [RequestParts, string, RegExp, RawSession?]
/** What is sent instead of the confirmed request, and the detail of its refusal. */
type Case = (value: string, result: SoterResult, challenge: string) => Bent | Promise<Bent>

const cases: Readonly<Record<string, Case>> = {
  'of another amount': (value) => [transfer(200_001), value, /another request/],
  'of another payee': (value) => [transfer(200_000, 'eve'), value, /another request/],
  'under another idempotency key': (value) => [transfer(200_000, 'bob', 'other'), value, /another request/],
  'at another path': (value) => [{ ...transfer(), path: '/wallet/transfers?x=1' }, value, /another request/],
  'of another device of the same user': async (value) => {
    const other = await logIn(service, { openid, device: newDevice() })
    return [transfer(), value, /another device/, other]
  },
  'of another user': async (_, result) => {
    const other = await newPerson()
    const parts = transfer(200_000, 'bob', 'mine')
    return [parts, stepUpField(await ask(parts), result), /not known/, other.session]
  },
  'whose challenge was never made': (_, result) => {
    const made = Buffer.from(random(32)).toString('base64url')
    return [transfer(), stepUpField(made, result), /not known/]
  },
  'signed by the finger of another person': async (_value, _result, challenge) => {
    const value = await confirmation(service, 'openid-of-somebody-else', challenge)
    return [transfer(), value, /wechat does not confirm/]
  },
  'whose JSON was parsed and serialised again': (_, result, challenge) => {
    const resultJSON = JSON.stringify(JSON.parse(result.resultJSON))
    expect(resultJSON).not.toBe(result.resultJSON)
    return [transfer(), stepUpField(challenge, { ...result, resultJSON }), /wechat does not confirm/]
  },
  'with a wrong signature': async (_, result, challenge) => {
    const { resultJSONSignature } = await confirm(service, openid, 'something else')
    const value = stepUpField(challenge, { ...result, resultJSONSignature })
    return [transfer(), value, /wechat does not confirm/]
  },
  'with a valid signature over another challenge': async (_value, _result, challenge) => {
    const result = await confirm(service, openid, await ask(transfer(200_000, 'bob', 'second')))
    return [transfer(), stepUpField(challenge, result), /another challenge/]
  },
  'with a valid signature over no challenge': async (_value, _result, challenge) => {
    const result = await confirm(service, openid, `${challenge} `)
    return [transfer(), stepUpField(challenge, result), /another challenge/]
  },
}

it.each(Object.entries(cases))(
  'a confirmation %s is step_up_invalid, and the transfer does not happen',
  async (_, bend) => {
    await fresh()
    const parts = transfer()
    const challenge = await ask(parts)
    const result = await confirm(service, openid, challenge)
    const [bent, value, detail, by] = await bend(stepUpField(challenge, result), result, challenge)
    expectInvalid(await send(bent, value, by), detail)
    expect(await balance()).toBe(1_000_000)
    // Nothing was used up: the user can still confirm.
    const retry = await confirm(service, openid, challenge)
    expect((await send(parts, stepUpField(challenge, retry))).status).toBe(201)
  },
)

it('a confirmation is step_up_invalid three minutes after its challenge, and not earlier', async () => {
  const own = await ownService()
  const { openid: name, session: mine } = await newPerson(own)
  const [early, late] = [transfer(150_000, 'bob', 'early'), transfer(150_000, 'bob', 'late')]
  const challenges = [await ask(early, mine), await ask(late, mine)]
  const results = [
    await confirm(own, name, challenges[0] ?? ''),
    await confirm(own, name, challenges[1] ?? ''),
  ]
  const value = (i: 0 | 1): string => stepUpField(challenges[i] ?? '', results[i] as SoterResult)
  own.advanceClock(175)
  expect((await send(early, value(0), mine)).status).toBe(201)
  own.advanceClock(5)
  expectInvalid(await send(late, value(1), mine), /^the challenge has expired$/)
  expect(await balance(mine)).toBe(850_000)
})

it('a confirmation with a counter that does not rise is step_up_invalid', async () => {
  await fresh()
  const [first, second] = [transfer(150_000, 'bob', 'one'), transfer(150_000, 'bob', 'two')]
  const [earlier, later] = [await ask(first), await ask(second)]
  const old = await confirm(service, openid, earlier)
  const young = await confirm(service, openid, later)
  expect((await send(second, stepUpField(later, young))).status).toBe(201)
  expectInvalid(await send(first, stepUpField(earlier, old)), /counter/)
  expect(await balance()).toBe(850_000)
  const risen = await confirm(service, openid, earlier)
  expect((await send(first, stepUpField(earlier, risen))).status).toBe(201)
})

const form = /^the field step-up must be a dictionary of challenge, json and sig$/

it.each<[string, (value: string) => string, RegExp]>([
  ['no dictionary', () => '?', /./],
  ['an empty text', () => '', form],
  ['without the signature', (value) => value.replace(/, sig=.*$/, ''), form],
  ['with another name for the signature', (value) => value.replace('sig=', 'signature='), form],
  ['with one member more', (value) => `${value}, acr="soter"`, form],
  ['with a member twice', (value) => `${value}, challenge="x"`, /key repeated/],
  ['with a token for the challenge', (value) => value.replace(/"[^"]*"/, 'token'), form],
  ['with bytes for the challenge', (value) => value.replace(/"[^"]*"/, ':AAAA:'), form],
  ['with a text for the result', (value) => value.replace(/json=:([^:]*):/, 'json="$1"'), form],
  ['with a text for the signature', (value) => value.replace(/sig=:([^:]*):/, 'sig="$1"'), form],
  ['with a list for the result', (value) => value.replace(/json=(:[^:]*:)/, 'json=($1)'), form],
  ['with a parameter', (value) => `${value};v=1`, form],
  [
    'with a challenge that is not base64url',
    (value) => value.replace('challenge="', 'challenge="='),
    /base64/,
  ],
  ['with a result that is not UTF-8', (value) => value.replace(/json=:[^:]*:/, 'json=:/w==:'), /utf-8/],
])('the field step-up is step_up_invalid when it is %s', async (_, bend, detail) => {
  await fresh()
  const challenge = await ask()
  const value = await confirmation(service, openid, challenge)
  const before = await soterCalls()
  expectInvalid(await send(transfer(), bend(value)), detail)
  expect(await soterCalls()).toBe(before)
  expect(await balance()).toBe(1_000_000)
})

it('the field step-up is verified on every request, also where no confirmation was required', async () => {
  await fresh()
  expectInvalid(await send({ path: '/wallet' }, 'challenge="AA", json=:AA==:, sig=:AA==:'), /not known/)
  expectInvalid(await send(transfer(1), 'x'), /dictionary/)
  expect(await balance()).toBe(1_000_000)
})

it('the field step-up must be covered by the signature of the device: components_incomplete', async () => {
  await fresh()
  const challenge = await ask()
  const value = await confirmation(service, openid, challenge)
  const after: RequestParts['after'] = (message) => ({
    ...message,
    fields: [...message.fields, ['step-up', value]],
  })
  expect((await session.send({ ...transfer(), after })).json.code).toBe('components_incomplete')
  expect(await balance()).toBe(1_000_000)
})

it('wechat_unavailable uses nothing up: the same result is accepted later', async () => {
  await fresh()
  const challenge = await ask()
  const value = await confirmation(service, openid, challenge)
  await service.sandbox('/sandbox/faults', { path: 'cgi-bin/soter/verify_signature', drop: true, times: 1 })
  const down = await send(transfer(), value)
  expect(down).toMatchObject({
    status: 503,
    json: { code: 'wechat_unavailable', step: 'step-up', retryable: true },
  })
  expect(down.json).not.toHaveProperty('outcome')
  expect(await balance()).toBe(1_000_000)
  expect((await send(transfer(), value)).status).toBe(201)
})

it('two simultaneous confirmed requests have one effect', async () => {
  await fresh()
  const challenge = await ask()
  const value = await confirmation(service, openid, challenge)
  await service.sandbox('/sandbox/faults', {
    path: 'cgi-bin/soter/verify_signature',
    delay_ms: 100,
    times: 1,
  })
  const received = await Promise.all(Array.from({ length: 6 }, () => send(transfer(), value)))
  // Requests that arrive after the first one has finished get its stored response.
  const made = received.filter(({ status }) => status === 201)
  expect(new Set(made.map(({ json }) => json.id)).size).toBe(1)
  expect(made.filter(({ fields }) => fields.every(([name]) => name !== 'idempotency-replayed'))).toHaveLength(
    1,
  )
  const others = received.filter(({ status }) => status !== 201)
  expect(others.every(({ json }) => json.code === 'idempotency_in_progress')).toBe(true)
  expect(await balance()).toBe(800_000)
})

it('openid, challenge and the device’s result are not in the log', async () => {
  await fresh()
  const challenge = await ask()
  const result = await confirm(service, openid, challenge)
  expect((await send(transfer(), stepUpField(challenge, result))).status).toBe(201)
  const late = transfer(200_000, 'bob', 'late')
  expectInvalid(await send(late, stepUpField(challenge, result)), /another request/)
  const log = service.logText()
  for (const secret of [openid, challenge, result.resultJSONSignature, 'resultJSON'])
    expect(log).not.toContain(secret)
})
