/** A Python backend behind the gateway, written from the integration guide with its own cryptography. */
import type { ChildProcessByStdio } from 'node:child_process'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ForwardedParts } from '../../support/forwarded.ts'
import { forwarded } from '../../support/forwarded.ts'
import type { RawSession } from '../../support/raw-client.ts'
import { logIn, newDevice } from '../../support/raw-client.ts'
import { requirePython } from '../../support/required-tool.ts'
import type { TestService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'

const program = new URL('./backend.py', import.meta.url).pathname
requirePython()

describe('a backend in Python', () => {
  let child: ChildProcessByStdio<Writable, Readable, null>
  let direct: string
  let service: TestService
  let session: RawSession

  beforeAll(async () => {
    child = spawn('python3', ['-B', program], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    direct = `http://127.0.0.1:${String((await lines.next()).value)}`
    service = await startTestService({ environment: { MINISEAL_UPSTREAMS: `/orders=${direct}` } })
    child.stdin.write(`${service.origin}\n`)
    expect((await lines.next()).value).toBe('ready')
    session = await logIn(service)
  })

  afterAll(async () => {
    child.kill()
    await service.close()
  })

  it('the Python backend verifies token, device and gateway, and returns the caller', async () => {
    const caller = {
      user: session.user,
      device: session.device.signer.keyid,
      session: Buffer.from(session.id).toString('base64url'),
      app: service.appid,
      acr: 'session',
    }
    const path = "/orders/7?who='me'&n=%20"
    expect(await session.send({ path })).toMatchObject({ status: 200, json: { caller, path } })
    const posted = await session.send({ method: 'POST', path: '/orders', body: { n: 1 } })
    expect(posted).toMatchObject({ status: 200, json: { caller } })
  })

  it('the Python backend ignores caller fields that a client sends', async () => {
    const answer = await session.send({
      path: '/orders/1',
      before: (message) => ({
        ...message,
        fields: [...message.fields, ['miniseal-caller', 'user="other"'], ['x-forwarded-for', '10.0.0.1']],
      }),
    })
    expect(answer).toMatchObject({ status: 200, json: { caller: { user: session.user } } })
  })

  it('the Python backend refuses requests that bypass the gateway', async () => {
    const headers = {
      authorization: `HTTPSig ${session.token}`,
      'miniseal-caller': `user="${session.user}"`,
      'miniseal-device-key': session.device.x,
    }
    const response = await fetch(`${direct}/orders/1`, { headers })
    expect(response.status).toBe(401)
    expect(await response.json()).toEqual({ refused: 'no signature sig' })
  })

  it.each<[string, () => ForwardedParts, string]>([
    ['an unpublished gateway key', () => ({}), 'unknown gateway key'],
    ['another device', () => ({ device: newDevice() }), 'token of another device'],
    ['a bearer token', () => ({ authorization: `Bearer ${session.token}` }), 'no HTTPSig token'],
    [
      'an expired signature of the device',
      () => ({ created: service.now() - 140 }),
      'device signature outside its window',
    ],
    [
      'an expired signature of the gateway',
      () => ({ gatewayCreated: service.now() - 70 }),
      'gateway signature outside its window',
    ],
  ])('the Python backend refuses a request with %s', async (_title, parts, reason) => {
    const { method, url, headers, body } = forwarded(session, parts())
    const fields = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)])
    const response = await fetch(`${direct}${url}`, { method, headers: fields, body })
    expect(response.status).toBe(401)
    expect(await response.json()).toEqual({ refused: reason })
  })
})
