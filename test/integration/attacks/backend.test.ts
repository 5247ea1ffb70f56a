/** A malicious backend behind the gateway that tries to impersonate its users. */
import { beforeAll, expect, it } from 'vitest'
import type { Field } from '../../../crypto/frames/binary-http.ts'
import { createVerifier, ProtocolError } from '../../../packages/verify/index.ts'
import { sharedService, sharedSession, sharedUpstream } from '../../support/hooks.ts'
import type { Arrived } from '../../support/upstream.ts'

/** What it got from Alice. */
let kept: Arrived

const backend = sharedUpstream((_request, response) => response.end('ok'))
const service = sharedService(() => ({ environment: { MINISEAL_UPSTREAMS: `/shop=${backend.origin}` } }))
const alice = sharedSession(service, { openid: 'alice' })
/** The session that the backend's owner has as a user of the mini program. */
const own = sharedSession(service, { openid: 'owner of the backend' })
const order = { method: 'POST', path: '/shop/orders', body: { n: 1 } }

beforeAll(async () => {
  expect((await alice.send(order)).status).toBe(200)
  kept = backend.last()
})

async function codeAt(request: Arrived): Promise<string | undefined> {
  try {
    await createVerifier({ origin: service.origin })(request, Buffer.from(request.body))
    return undefined
  } catch (error) {
    if (error instanceof ProtocolError) return error.code
    throw error
  }
}

it('a backend cannot replay a request to the service, neither unchanged nor in its own session', async () => {
  const before = backend.arrived.length
  const fields = Object.entries(kept.headers).map(([name, value]): Field => [name, String(value)])
  const headers = fields.filter(([name]) => !['host', 'connection', 'content-length'].includes(name))
  const path = `${service.url}${kept.url}`
  const plain = await fetch(path, {
    method: 'POST',
    headers: [...headers.map(([a, b]): [string, string] => [a, b])],
    body: kept.body,
  })
  expect(plain.status).toBe(404)
  const sealed = await own.send({
    method: 'POST',
    path: kept.url,
    body: { n: 1 },
    after: (message) => ({ ...message, fields: headers.filter(([name]) => !name.startsWith('miniseal-')) }),
  })
  expect(sealed.status).toBe(401)
  const token = String(kept.headers.authorization).replace('HTTPSig ', '')
  expect((await own.send({ token })).json.code).toBe('token_key_mismatch')
  expect(backend.arrived).toHaveLength(before)
})

it('a backend cannot present another request of the user to a second backend', async () => {
  expect(await codeAt(kept)).toBeUndefined()
  const caller = String(kept.headers['miniseal-caller'])
  const changed: readonly Arrived[] = [
    { ...kept, url: '/bank/orders' },
    { ...kept, url: `${kept.url}?more` },
    { ...kept, method: 'PUT' },
    { ...kept, body: '{"n":2}' },
    { ...kept, headers: { ...kept.headers, 'idempotency-key': '"another"' } },
    { ...kept, headers: { ...kept.headers, 'miniseal-caller': caller.replace(alice.user, own.user) } },
    {
      ...kept,
      headers: { ...kept.headers, 'miniseal-caller': caller.replace('acr="session"', 'acr="soter"') },
    },
  ]
  for (const request of changed) expect(await codeAt(request)).toBeDefined()
})

it('a backend can present the same request to a second backend for a minute, which the Idempotency-Key detects', async () => {
  const later = { ...kept }
  const at = (seconds: number): Promise<unknown> =>
    createVerifier({ origin: service.origin, now: () => service.now() + seconds })(
      later,
      Buffer.from(later.body),
    )
  await at(30)
  await expect(at(80)).rejects.toMatchObject({ code: 'window_invalid' })
})
