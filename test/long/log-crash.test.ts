/** SIGKILL between an effect and its outcome: the log records an unknown outcome afterwards. */
import { createServer, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { logIn } from '../support/raw-client.ts'
import { ofKind, readLog, withStore } from '../support/read-log.ts'
import { freePort, startServiceProcess } from '../support/service-process.ts'

let backend: Server
let port = 0
let effects = 0
let mayAnswer = false

beforeAll(async () => {
  port = await freePort()
  backend = createServer((_request, response) => {
    effects += 1
    if (mayAnswer) response.writeHead(201, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => backend.listen(port, '127.0.0.1', resolve))
})

afterAll(() => {
  backend.closeAllConnections()
  backend.close()
})

afterEach(() => {
  effects = 0
  mayAnswer = false
})

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(20)
}

it('the service records an intent before the effect, and logs the unknown outcome once after the kill', async () => {
  const killed = await startServiceProcess({ MINISEAL_UPSTREAMS: `/pay=http://127.0.0.1:${port}` })
  const { environment } = killed.service
  try {
    const session = await logIn(killed.service)
    const request = { method: 'POST', path: '/pay/1', body: {}, key: 'lost' }
    const lost = session.send(request).catch(() => 'cut')
    await until(() => effects > 0)
    const [intent] = await withStore(environment, (store) => store.listIntents(Number.MAX_SAFE_INTEGER, 10))
    expect(intent).toBeDefined()
    await killed.restart(() => {})
    expect(await lost).toBe('cut')
    const unknown = ofKind(await readLog(environment), 'outcome-unknown')
    expect(unknown).toHaveLength(1)
    expect(unknown[0]?.row.id).toEqual(intent?.id)
    expect(unknown[0]?.leaf).toMatchObject({ result: 'unknown', retention: '5y' })
    expect(unknown[0]?.groups).toMatchObject({
      core: { method: 'POST', path: '/pay/1', idempotency_key: '"lost"', started_at: expect.any(Number) },
      sub: { user: session.user },
    })
    expect(unknown[0]?.groups.core).not.toHaveProperty('status')
    await killed.restart(() => {})
    expect(ofKind(await readLog(environment), 'outcome-unknown')).toHaveLength(1)
    const intents = await withStore(environment, (store) => store.listIntents(Number.MAX_SAFE_INTEGER, 10))
    expect(intents).toEqual([])
    // A completed request has no intent.
    mayAnswer = true
    expect((await session.send({ ...request, key: 'answered' })).status).toBe(201)
    await killed.restart(() => {})
    expect(ofKind(await readLog(environment), 'outcome-unknown')).toHaveLength(1)
    expect(effects).toBe(2)
  } finally {
    await killed.close()
  }
}, 180_000)
