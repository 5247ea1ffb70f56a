/** The upstream pool of one gateway route: connections and queue. */
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openUpstreamPool, type UpstreamPool } from '../../../service/gateway/upstream-pool.ts'
import { startUpstream, type TestUpstream } from '../../support/upstream.ts'

/** Answers wait for the test. */
const held: ServerResponse[] = []
const connections = new Set<unknown>()
let upstream: TestUpstream
let pool: UpstreamPool

beforeEach(async () => {
  held.length = 0
  upstream = await startUpstream((request, response) => {
    connections.add(request.socket)
    held.push(response)
  })
  pool = openUpstreamPool({ connectTimeout: 3_000, maxContent: 1_000 })
})

afterEach(async () => {
  upstream.close()
  await pool.close()
})

async function order(deadline = AbortSignal.timeout(20_000)): Promise<string> {
  return await pool.run(deadline, async (agent) => {
    const answer = await agent.request({
      origin: upstream.origin,
      path: '/',
      method: 'GET',
      signal: deadline,
    })
    return await answer.body.text()
  })
}

it('a route runs 128 requests, queues 512 and refuses more at once without sending them', async () => {
  const taken = Array.from({ length: 640 }, () => order())
  await expect.poll(() => held.length, { timeout: 60_000 }).toBe(128)
  for (let i = 0; i < 3; i++) {
    const refused = await order().catch((error) => error)
    expect(refused).toMatchObject({
      code: 'upstream_unavailable',
      details: { effect: 'none', retryAfter: 1 },
    })
  }
  expect([held.length, connections.size]).toEqual([128, 128])
  // Each answer lets one of those that wait go, in their turn.
  for (let answered = 0; answered < 640; answered++) {
    await expect.poll(() => held.length, { timeout: 60_000, interval: 1 }).toBeGreaterThan(answered)
    expect(held.length - answered).toBeLessThanOrEqual(128)
    held[answered]?.end('well')
  }
  expect(new Set(await Promise.all(taken))).toEqual(new Set(['well']))
  expect(connections.size).toBe(128)
})

it('a request that times out in the queue is not sent', async () => {
  const working = Array.from({ length: 128 }, () => order())
  await expect.poll(() => held.length, { timeout: 60_000 }).toBe(128)
  const late = order(AbortSignal.timeout(50)).catch((error) => error)
  await new Promise((resolve) => setTimeout(resolve, 100))
  for (const response of held.slice()) response.end('well')
  expect((await late).details.effect).toBe('none')
  await Promise.all(working)
  expect(held).toHaveLength(128)
})
