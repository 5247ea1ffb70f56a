/** Malicious backend responses that surface later, in a replay or for other requests of the route. */
import { describe, expect, it } from 'vitest'
import { sharedService, sharedSession, sharedUpstream } from '../../support/hooks.ts'
import { outcomePath, type ReceivedReply } from '../../support/raw-client.ts'

let said: { status: number; fields: Record<string, string> }

const backend = sharedUpstream((_request, response) => {
  response.sendDate = false
  response.writeHead(said.status, { 'content-type': 'text/plain', ...said.fields }).end('done')
})
const service = sharedService(() => ({ environment: { MINISEAL_UPSTREAMS: `/shop=${backend.origin}` } }))
const session = sharedSession(service)

/** What a backend says with so many fields, its content type among them. */
function manyFields(count: number, value = 'x'): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count - 1 }, (_, index) => [`x-${index}`, value]))
}

async function order(key: string): Promise<ReceivedReply> {
  return await session.send({ method: 'POST', path: '/shop/orders', body: { n: 1 }, key })
}

const valuesOf = ({ fields }: ReceivedReply, name: string): readonly string[] =>
  fields.filter(([each]) => each === name).map(([, value]) => value)

describe('an answer that is given again', () => {
  it('a replayed response carries exactly one replay marker and a first response none, whatever the backend sends', async () => {
    said = { status: 201, fields: { 'Idempotency-Replayed': 'true' } }
    const first = await order('replayed by itself')
    expect([first.status, valuesOf(first, 'idempotency-replayed')]).toEqual([201, []])
    const second = await order('replayed by itself')
    expect([second.status, valuesOf(second, 'idempotency-replayed')]).toEqual([201, ['true']])
  })

  it.each([
    ['as many fields as there may be', manyFields(56)],
    ['fields as long as they may be', { 'x-long': 'x'.repeat(14_300) }],
  ])('a stored response has room for the fields that the service adds to %s', async (title, fields) => {
    said = { status: 201, fields }
    expect((await order(title)).status).toBe(201)
    const again = await order(title)
    expect([again.status, valuesOf(again, 'idempotency-replayed')]).toEqual([201, ['true']])
    const outcome = await session.send({ path: outcomePath(title) })
    expect(outcome.json).toMatchObject({ outcome: 'done', answer: { status: 201 } })
  })
})

describe('an answer that cannot be carried', () => {
  it.each([
    ['one field too many', 200, manyFields(57)],
    ['fields that are too long', 200, { 'x-long': 'x'.repeat(14_400) }],
    ['the status 600', 600, {}],
    ['the status 999', 999, {}],
  ])(
    'a response that cannot be encoded for %s is a backend fault with an unknown outcome and does not open the circuit',
    async (title, status, fields) => {
      said = { status, fields }
      // One more than open the circuit.
      for (let count = 0; count < 6; count++) {
        const heard = await order(`${title} ${count}`)
        expect(heard.json).toMatchObject({ code: 'upstream_unavailable', outcome: 'unknown' })
        expect((await order(`${title} ${count}`)).json).toMatchObject({ outcome: 'unknown' })
      }
      said = { status: 200, fields: {} }
      expect((await order(`${title}, and then`)).status).toBe(200)
    },
  )
})
