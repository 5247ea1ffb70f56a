/** What operators see of faults: the route and cause, the result code, and capacity in use. */

import { connect } from 'node:net'
import { expect, it, vi } from 'vitest'
import { faultCodeOf, StoreUnavailable } from '../../../service/store/store.ts'
import { sharedService, sharedSession, sharedUpstream } from '../../support/hooks.ts'
import { freePort } from '../../support/service-process.ts'

const token = 'metrics-of-the-operator'

const backend = sharedUpstream((request, response) => {
  if (request.url === '/hang/on') return
  if (request.url === '/large/one') response.end('x'.repeat(1_100_000))
  else if (request.url === '/bad/one') request.socket.end('this is not HTTP\r\n\r\n')
  else if (request.url === '/cut/one') request.socket.destroy()
  else response.end('ok')
})
const service = sharedService(async () => {
  const routes = ['hang', 'large', 'bad', 'cut'].map((name) => `/${name}=${backend.origin}`)
  const upstreams = [...routes, `/away=http://127.0.0.1:${await freePort()}`].join(',')
  return { environment: { MINISEAL_UPSTREAMS: upstreams, MINISEAL_METRICS_TOKEN: token } }
})
const session = sharedSession(service)

async function metrics(): Promise<string> {
  const answer = await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })
  const lines = (await answer.text()).split('\n')
  return lines
    .filter((line) =>
      /^miniseal_(?:upstream|requests_in_flight|body|tlog_accepting|store_errors|exchanges)/.test(line),
    )
    .join('\n')
}

it.each([
  ['away', 'connect_refused'],
  ['large', 'answer_too_large'],
  ['bad', 'bad_answer'],
  ['cut', 'connection_lost'],
])(
  'names the route /%s and the cause %s of upstream_unavailable, in a line and a metric',
  async (name, cause) => {
    const { json } = await session.send({ method: 'POST', path: `/${name}/one`, body: {} })
    expect(json.code).toBe('upstream_unavailable')
    expect(await metrics()).toContain(`miniseal_upstream_faults_total{route="/${name}",cause="${cause}"} 1`)
    const lines = service.logText().split('\n')
    expect(
      lines.some((line) => line.includes(`"event":"upstream.failed","route":"/${name}","cause":"${cause}"`)),
    ).toBe(true)
  },
)

it('metrics show the circuit of each route and the requests that its breaker refused', async () => {
  expect(await metrics()).toContain('miniseal_upstream_circuit_state{route="/away"} 0')
  for (let i = 0; i < 5; i++) await session.send({ path: '/away/one' })
  expect(await metrics()).toContain('miniseal_upstream_circuit_state{route="/away"} 2')
  expect(await metrics()).toContain('miniseal_upstream_circuit_state{route="/hang"} 0')
  await session.send({ path: '/away/one' })
  expect(await metrics()).toContain('miniseal_upstream_faults_total{route="/away",cause="circuit_open"}')
})

it('metrics show running requests of a route, frames in flight and memory for bodies', async () => {
  const hung = session.send({ path: '/hang/on' }).catch(() => undefined)
  await vi.waitFor(async () => {
    const text = await metrics()
    expect(text).toContain('miniseal_upstream_requests{route="/hang",state="running"} 1')
    expect(text).toContain('miniseal_requests_in_flight 1')
    expect(text).toMatch(/miniseal_body_memory_bytes [1-9]/)
  })
  backend.close()
  await hung
  await vi.waitFor(async () => expect(await metrics()).toContain('miniseal_body_memory_bytes 0'))
})

it('a client that disconnects before its frame is complete counts as client_closed and not as overloaded', async () => {
  const before = service.logText().split('"code":"overloaded"').length
  const port = Number(new URL(service.url ?? '').port)
  const head =
    'POST /seal HTTP/1.1\r\nhost: a\r\ncontent-type: application/vnd.miniseal\r\ncontent-length: 500\r\n\r\n'
  const socket = connect(port, '127.0.0.1', () => {
    socket.write(`${head}half of a frame`, () => setTimeout(() => socket.resetAndDestroy(), 20))
  })
  socket.on('error', () => undefined)
  await vi.waitFor(async () =>
    expect(await metrics()).toContain(
      'miniseal_exchanges_total{kind="clear",status="4xx",code="client_closed",step="frame"} 1',
    ),
  )
  expect(service.logText().split('"code":"overloaded"')).toHaveLength(before)
})

it('the result code of a database or of the system is found in the errors that wrap it', () => {
  const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
  expect(faultCodeOf(new StoreUnavailable(full))).toBe('SQLITE_FULL')
  expect(faultCodeOf(new Error('x', { cause: Object.assign(new Error('y'), { code: 'ENOSPC' }) }))).toBe(
    'ENOSPC',
  )
  expect(faultCodeOf(Object.assign(new Error('chosen outside'), { code: 'any text' }))).toBeUndefined()
  expect(faultCodeOf('nothing')).toBeUndefined()
})
