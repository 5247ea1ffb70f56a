/** The OpenAPI document: valid for an independent validator, and matched by a running service. */
import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { decodeBase64, encodeBase64Url } from '../../../crypto/text.ts'
import { openApiDocument } from '../../../service/reference/openapi.ts'
import { sharedService, sharedSession } from '../../support/hooks.ts'
import { judgeOf, pointer } from '../../support/judged-answers.ts'
import type { LoginParts, ReceivedReply, RequestParts } from '../../support/raw-client.ts'
import {
  logIn,
  newDevice,
  outcomePath,
  post,
  prepareLogin,
  send,
  transferOf,
} from '../../support/raw-client.ts'
import { RawSocket } from '../../support/raw-socket.ts'

const committed = readFileSync(new URL('../../../docs/reference/openapi.json', import.meta.url), 'utf8')

interface Operation {
  readonly operationId: string
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> }
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>
}

const document = JSON.parse(committed) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/** Path and method of each operation. */
const places = new Map(
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => [operationId, { path, method }] as const),
  ),
)

it('the document is valid OpenAPI 3.1 for an independent validator', async () => {
  const validator = new Validator()
  expect(await validator.validate(JSON.parse(committed))).toEqual({ valid: true })
  expect(validator.version).toBe('3.1')
})

describe('a running service', () => {
  const judge = judgeOf(JSON.parse(committed))
  const exercised = new Map<string, Set<number>>()
  let socket: RawSocket

  const service = sharedService()
  const session = sharedSession(service, { openid: 'openid-of-the-caller' })

  beforeAll(async () => {
    socket = new RawSocket(service)
    socket.keys = session.keys
    await socket.opened
  })

  afterAll(() => socket.ws.close())

  /** Checks request and answer against the document. */
  function hold(id: string, received: ReceivedReply, body?: unknown): void {
    const { path, method } = places.get(id) ?? { path: '', method: '' }
    const operation = document.paths[path]?.[method]
    const at = (...names: readonly (string | number)[]): string => pointer('paths', path, method, ...names)
    expect(Object.keys(operation?.responses ?? {})).toContain(String(received.status))
    const type = operation?.responses[received.status]?.content
    if (type === undefined) expect(received.json).toBeUndefined()
    else
      expect(
        judge(at('responses', received.status, 'content', 'application/json', 'schema'), received.json),
      ).toBe('')
    if (body === undefined) expect(operation?.requestBody).toBeUndefined()
    else expect(judge(at('requestBody', 'content', 'application/json', 'schema'), body)).toBe('')
    exercised.set(id, (exercised.get(id) ?? new Set()).add(received.status))
  }

  async function ask(id: string, parts: RequestParts, by = session): Promise<ReceivedReply> {
    const received = await by.send(parts)
    hold(id, received, parts.body)
    return received
  }

  it('sessions are created, renewed, listed and ended as documented', async () => {
    const device = newDevice()
    const loginBody = {
      appid: service.appid,
      code: await service.code('openid-of-the-caller'),
      device: { kty: 'OKP', crv: 'Ed25519', x: device.x },
      client: { platform: 'test', sdk: '0', base: '0' },
    }
    const parts: LoginParts = { device, loginBody }
    const prepared = await prepareLogin(service, parts)
    const received = await send(service, prepared)
    hold('logIn', received, { ...loginBody, handshake: 'A'.repeat(43) })
    const other = prepared.session(received)
    await ask('listSessions', { path: '/sessions' })
    await ask('currentSession', { path: '/sessions/current' })
    await ask('renewToken', { method: 'POST', path: '/sessions/current/token' })
    await ask('endSession', { method: 'DELETE', path: `/sessions/${encodeBase64Url(other.id)}` })
    await ask('endOtherSessions', { method: 'DELETE', path: '/sessions' })
    const last = await logIn(service, { openid: 'openid-of-another' })
    await ask('logOut', { method: 'DELETE', path: '/sessions/current' }, last)
  })

  const named = { body: { name: '我的手机' } }

  it('devices are listed, named and revoked as documented', async () => {
    const id = session.device.signer.keyid
    await ask('nameDevice', { method: 'PUT', path: `/devices/${id}`, body: { name: '我的手机' } })
    await ask('listDevices', { path: '/devices' })
    const other = await logIn(service, { openid: 'openid-of-the-caller' })
    await ask('revokeDevice', { method: 'DELETE', path: `/devices/${other.device.signer.keyid}` })
    await ask('revokeOtherDevices', { method: 'DELETE', path: '/devices' })
  })

  it('events are listed and subscribed to as documented', async () => {
    await service.push(session.user, { type: 'order-paid', data: { order: 7 } })
    const { json } = await ask('listEvents', { path: '/events?after=0&limit=100' })
    expect(json.events.length).toBeGreaterThan(0)
    const body = { after: 0 }
    hold(
      'subscribe',
      await socket.send(session.prepare({ method: 'POST', path: '/events/subscription', body })),
      body,
    )
  })

  it('outcomes are reported and cancelled as documented', async () => {
    await session.send({ method: 'POST', path: '/nothing', key: 'refused' })
    await session.send({
      method: 'PUT',
      path: `/devices/${session.device.signer.keyid}`,
      key: 'done',
      ...named,
    })
    for (const key of ['unclaimed', 'refused', 'done']) {
      await ask('readOutcome', { path: outcomePath(key) })
      await ask('cancelRequest', { method: 'DELETE', path: outcomePath(key), key: undefined })
      await ask('readOutcome', { path: outcomePath(key) })
    }
  })

  it('a receipt is proved as documented', async () => {
    const received = await session.send({ path: '/sessions' })
    const field = findField(received.fields, 'miniseal-receipt') ?? ''
    const path = `/receipts/${encodeBase64Url(decodeBase64(field.slice(1, -1)))}`
    await expect.poll(async () => (await ask('readReceipt', { path })).status, { timeout: 60_000 }).toBe(200)
  })

  it('WeChat data is returned as documented', async () => {
    const openid = 'openid-of-the-caller'
    const { code } = (await service.sandbox('/sandbox/phone-codes', { appid: service.appid, openid })) as {
      code: string
    }
    await ask('readPhoneNumber', { method: 'POST', path: '/phone-number', body: { code } })
    const sealed = (await service.sandbox('/sandbox/encrypted-data', {
      ...{ appid: service.appid, openid },
      data: { nickName: 'nick' },
    })) as { iv: string; encryptedData: string; rawData: string; signature: string }
    const { iv, encryptedData: data, rawData: raw_data, signature } = sealed
    await ask('openEncryptedData', {
      method: 'POST',
      path: '/encrypted-data',
      body: { iv, data, raw_data, signature },
    })
  })

  it('every GET route without a parameter responds as documented', async () => {
    for (const [id, { path, method }] of places)
      if (method === 'get' && !path.includes('{')) await ask(id, { path })
  })

  it('these tests exercise every operation of the document', () => {
    expect([...exercised.keys()].sort()).toEqual([...places.keys()].sort())
  })

  it('requests are refused as documented, encrypted and in the clear', async () => {
    const place = pointer('components', 'schemas', 'Problem')
    const stranger = newDevice()
    const wrong: readonly RequestParts[] = [
      { path: '/nowhere' },
      { token: undefined },
      { created: service.now() - 500 },
      { method: 'PUT', path: '/devices/x', body: {} },
      { method: 'POST', path: '/sessions/current/token', key: undefined },
      { signer: { ...stranger.signer, keyid: session.device.signer.keyid } },
      transferOf(100_001),
    ]
    const codes: string[] = []
    for (const parts of wrong) {
      const { json } = await session.send(parts)
      expect([json.code, judge(place, json)]).toEqual([json.code, ''])
      codes.push(json.code)
    }
    const clear: unknown = await (await post(service, new Uint8Array(3))).json()
    expect(judge(place, clear)).toBe('')
    expect(codes).toContain('signature_invalid')
    expect(codes).toContain('step_up_required')
    expect(new Set(codes).size).toBeGreaterThanOrEqual(6)
  })

  it('the service serves the document for its own origin', async () => {
    const answer = await fetch(`${service.origin}/openapi.json`)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await answer.json()).toEqual(JSON.parse(JSON.stringify(openApiDocument(service.origin))))
  })

  it('the schema check rejects a wrong response', () => {
    const place = pointer(
      'paths',
      '/sessions',
      'get',
      'responses',
      200,
      'content',
      'application/json',
      'schema',
    )
    expect(judge(place, { sessions: [{}] })).toContain('must have required property')
    expect(judge(place, { sessions: [], more: 1 })).toContain('must NOT have additional properties')
  })
})
