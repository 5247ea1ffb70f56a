/** The log over HTTP, verified by golang.org/x/mod. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type GrownLog, startGrownLog } from '../../support/grown-log.ts'
import { askGo } from './go-judge.ts'

const leaves = Number(process.env.TEST_LOG_LEAVES ?? 20_000)

let grown: GrownLog

beforeAll(async () => {
  grown = await startGrownLog()
})

afterAll(() => grown.close())

it(`golang.org/x/mod verifies the log over HTTP at 1, 2, 255, 256, 257, 600 and ${leaves} leaves`, {
  timeout: 240_000,
}, async () => {
  const { service, token } = grown
  const log = `${service.url}/log`
  const vkey = await grown.verifierKey()
  const previous: string[] = []
  for (const wanted of [1, 2, 255, 256, 257, 600, leaves]) {
    const size = await grown.growTo(wanted)
    const checkpoint = await (await fetch(`${log}/checkpoint`)).text()
    const indexes = [...new Set([0, 1, 254, 255, 256, size >> 1, size - 1])].filter((index) => index < size)
    const question = { log, vkey, token, indexes, previous: [...previous], withEntries: true }
    const verdict = await askGo(question)
    const root = checkpoint.split('\n')[2]
    expect(verdict).toMatchObject({ size, root, entries: size })
    expect(verdict.inclusion).toEqual(indexes)
    previous.push(checkpoint)
  }
  const [origin, size, ...rest] = (previous[1] ?? '').split('\n')
  const changed = [origin, Number(size) + 1, ...rest].join('\n')
  await expect(askGo({ log, vkey, previous: [changed] })).rejects.toThrow()
})
