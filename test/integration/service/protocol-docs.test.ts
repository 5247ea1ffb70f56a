/** Statements of `docs/reference/protocol.md` for authors of other clients that no other test covers. */
import { beforeEach, expect, it } from 'vitest'
import { findField, type RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { decodeBase64, encodeUtf8 } from '../../../crypto/text.ts'
import { parseLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import { sharedService, sharedSession } from '../../support/hooks.ts'
import type { ReceivedReply, RequestParts } from '../../support/raw-client.ts'
import { newDevice, prepareLogin, send } from '../../support/raw-client.ts'

let reached: RequestMessage[] = []

const backend = {
  answer: async (message: RequestMessage) => {
    reached.push(message)
    return { status: 200, fields: [], content: encodeUtf8('x') }
  },
}
const service = sharedService({ backend })
const session = sharedSession(service)

beforeEach(() => {
  reached = []
})

const withFields = (...fields: readonly (readonly [string, string])[]): Pick<RequestParts, 'before'> => ({
  before: (message) => ({ ...message, fields: [...message.fields, ...fields] }),
})

async function logInWith(more: { body?: object; client?: object; device?: object }): Promise<ReceivedReply> {
  const device = newDevice()
  const loginBody = {
    appid: service.appid,
    code: await service.code(),
    device: { kty: 'OKP', crv: 'Ed25519', x: device.x, ...more.device },
    client: { platform: 'test', ...more.client },
    ...more.body,
  }
  const ignored = withFields(
    ['idempotency-key', '"every login"'],
    ['authorization', 'Bearer x'],
    ['step-up', '?'],
  )
  return await send(service, await prepareLogin(service, { device, loginBody, ...ignored }))
}

it('a login may have unknown members, and fields that only requests use are ignored', async () => {
  for (const more of [{}, { body: { more: 1 } }, { client: { more: 1 } }])
    expect((await logInWith(more)).status).toBe(201)
  const refused = await logInWith({ device: { kid: 'x' } })
  expect(refused).toMatchObject({ status: 400, json: { code: 'payload_invalid' } })
})

it('the Idempotency-Key of a safe method is passed to the backend in any form and otherwise ignored', async () => {
  for (const value of ['"safe"', '"safe"', 'no string']) {
    const received = await session.send({
      path: `/${reached.length}`,
      ...withFields(['idempotency-key', value]),
    })
    expect([received.status, findField(received.fields, 'idempotency-replayed')]).toEqual([200, undefined])
  }
  expect(reached.map(({ fields }) => findField(fields, 'idempotency-key'))).toEqual([
    '"safe"',
    '"safe"',
    'no string',
  ])
  const effect = await session.send({ method: 'POST', path: '/x', key: 'safe' })
  expect([effect.status, reached.length]).toEqual([200, 4])
})

it('a renewal with a repeated key returns the same token', async () => {
  const renew = (key: string) => session.send({ method: 'POST', path: '/sessions/current/token', key })
  const first = await renew('renewal')
  service.advanceClock(60)
  const again = await renew('renewal')
  expect(again.fields).toContainEqual(['idempotency-replayed', 'true'])
  expect(again.json).toEqual(first.json)
  expect((await renew('next renewal')).json.access_token).not.toBe(first.json.access_token)
})

it('a refused request has a receipt for the user of its session, pending with retry-after', async () => {
  const refused = await session.send({ after: (message) => ({ ...message, path: '/elsewhere' }) })
  expect(refused.json.code).toBe('signature_invalid')
  const hash = decodeBase64(findField(refused.fields, 'miniseal-receipt')?.slice(1, -1) ?? '')
  const receipt = await session.send({ path: `/receipts/${Buffer.from(hash).toString('base64url')}` })
  expect(parseLeaf(decodeBase64(receipt.json.leaf))).toMatchObject({ kind: 'refused', result: 'refused' })
  const wait = findField(receipt.fields, 'retry-after')
  expect([receipt.status, wait]).toEqual(receipt.status === 202 ? [202, '1'] : [200, undefined])
})
