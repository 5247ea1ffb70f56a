/** The parts of the benchmark: load generator, report and command line. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { parseResponse, requestBytes } from './load/connection.ts'
import { closedLoop, openLoop, type Prepared } from './load/loops.ts'
import { median } from './load-source.ts'
import { readOptions } from './options.ts'
import { withTables } from './report/docs.ts'
import { table } from './report/tables.ts'
import { verdictsOf } from './report/targets.ts'
import type { Results } from './results.ts'

let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** Responds to the first request after `stall` milliseconds, and to all others no earlier. */
async function stallingServer(stall: number): Promise<number> {
  let ready: Promise<void> | undefined
  server = createServer(async (request, response) => {
    request.resume()
    ready ??= new Promise((resolve) => setTimeout(resolve, stall))
    await ready
    response.writeHead(200, { 'content-length': 2 }).end('ok')
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const prepared = (count: number): readonly Prepared[] =>
  Array.from({ length: count }, () => ({ bytes: requestBytes('POST', '/', {}, 'x'), check: async () => {} }))

it('the latency of an open loop includes the time that a request waits for a connection, while requests keep coming', async () => {
  const port = await stallingServer(400)
  const { responses, latency } = await openLoop([port], 1, 100, prepared(20))
  expect(responses).toHaveLength(20)
  // All twenty are due within 200 ms, and none is answered before 400.
  expect(latency.minNonZeroValue).toBeGreaterThan(150_000)
})

it('a closed loop sends the next request after each response until none remains', async () => {
  const port = await stallingServer(0)
  const { responses, isWhole, seconds } = await closedLoop([port], 3, 30, prepared(50))
  expect([responses.length, isWhole]).toEqual([50, false])
  expect(seconds).toBeLessThan(30)
})

it('the parser waits for the rest of a response, and refuses one without a length', () => {
  const whole = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')
  expect(parseResponse(whole.subarray(0, 20))).toBeUndefined()
  expect(parseResponse(whole.subarray(0, 42))).toBeUndefined()
  expect(parseResponse(whole)).toMatchObject({ status: 200, bytes: whole.length })
  expect(() => parseResponse(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))).toThrow('cannot be read')
})

it('the report uses the median of the rounds', () => {
  expect([median([9, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5])
})

it('the report states for each target whether it is reached', () => {
  const row = (name: string, byClock: number, byProcessor: number) => {
    const figures = { perSecond: 1, perCpuSecond: 1, p50: 1, p99: 1 }
    return { name, ...figures, ours: { byClock, byProcessor } }
  }
  const compared = {
    ...{ connections: 1, content: 200, floorSizes: {} },
    rows: [
      row('floor', 0.1, 0.6),
      row('dpop', 5, 1),
      row('http-signatures', 4.9, 9),
      row('wechat-pay', 3, 1),
    ],
  }
  const growth = {
    rows: [],
    loss: 0.11,
    diskBytes: 1,
    memory: { idle: 1, sessions: 1, session: 1, sockets: 0, socket: undefined },
  }
  const results = {
    machine: { cores: 2 },
    warnings: [],
    compared,
    growth,
    halfLoad: { rate: 1, p50: 1, p99: 10, spread: 10 },
    ours: { rows: [], secondProcess: 1.49 },
  } as unknown as Results
  const found = verdictsOf(results).map(({ target, isReached }) => [target, isReached])
  expect(found).toEqual([
    ['≥ 60 %', true],
    ['≥ 5 ×', true],
    ['≥ 5 ×', false],
    ['≥ 3 ×', true],
    ['≤ 10 ×', true],
    ['≤ 10 %', false],
    ['≥ 1.5 ×', false],
  ])
})

it('tables have padded cells', () => {
  expect(table(['a', 'per second'], [['x', 1_234.5]])).toBe(
    '| a   | per second |\n| --- | ---------: |\n| x   |      1,235 |',
  )
})

it('writing the document replaces only the text between the markers of the document', () => {
  const document = 'before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n'
  const written = withTables(document, 'new\n')
  expect(written).toBe('before\n<!-- bench: begin -->\n\nnew\n\n<!-- bench: end -->\nafter\n')
  expect(withTables(written, 'new\n')).toBe(written)
  expect(() => withTables('no markers', 'new')).toThrow('must hold')
})

it.each([
  [['--seconds', 'x'], '--seconds must be a number'],
  [['--seconds', '0'], '--seconds must be a number, at least 0.1'],
  [['--rounds', '1.5'], '--rounds must be a number'],
  [['--sizes', '1000,1000'], 'the values of --sizes must increase'],
  [['--quik'], "Unknown option '--quik'"],
  [['ours'], 'Unexpected argument'],
])('the command line refuses %j', (args, message) => {
  expect(() => readOptions(args)).toThrow(message)
})

it('the command line prefers given values to defaults', () => {
  const options = readOptions(['--quick', '--only', 'wire,ours', '--seconds', '2'])
  expect(options).toMatchObject({ only: ['wire', 'ours'], seconds: 2, rounds: 2 })
  expect(readOptions(['--help'])).toBeUndefined()
})
