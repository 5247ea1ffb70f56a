/**
 * The client's cost on a phone: `npm run bench -- client` signs and seals a request of 1 KB and opens and verifies its
 * response, in JavaScriptCore without a JIT as iOS runs mini programs, with noble and with tweetnacl.
 *
 * Fails when noble misses the targets. The fastest round counts: other work on the machine changes the median.
 */
import { randomBytes } from 'node:crypto'
import { bundleClient } from '../miniprogram/build/bundle.ts'
import { runInJsc } from '../test/e2e/engines/jsc.ts'
import { createLoopback } from '../test/support/wx-loopback.ts'

/** Milliseconds. */
const targets = { outgoing: 10, incoming: 14 } as const

/** Milliseconds. */
interface Spread {
  readonly fastest: number
  readonly median: number
}

interface Timing {
  readonly curves: string
  /** Sign and seal. */
  readonly outgoing: Spread
  /** Open and verify. */
  readonly incoming: Spread
}

/** Times one implementation. @param rounds after two for warm-up */
async function timeClient(withoutBigInt: boolean, rounds: number): Promise<Timing> {
  const { code } = await bundleClient('bench/exchange.ts')
  const page = `async (exchange, { seed, rounds }) => {
    const bench = await exchange.prepare(seed)
    const time = (run) => {
      run()
      run()
      const times = []
      for (let i = 0; i < rounds; i++) {
        const start = preciseTime()
        run()
        times.push((preciseTime() - start) * 1000)
      }
      times.sort((a, b) => a - b)
      return { fastest: times[0], median: times[rounds >> 1] }
    }
    return { curves: bench.curves, outgoing: time(bench.outgoing), incoming: time(bench.incoming) }
  }`
  const { wx } = createLoopback({ appid: 'wx1' })
  const settings = { seed: [...randomBytes(512)], rounds }
  return (await runInJsc({ bundle: code, page, settings, wx, withoutBigInt })) as Timing
}

async function main(): Promise<void> {
  const noble = await timeClient(false, 25)
  const tweetnacl = await timeClient(true, 9)
  const shown = ({ fastest, median }: Spread): string =>
    `${fastest.toFixed(1)} (${median.toFixed(1)})`.padStart(16)
  console.log('JavaScriptCore without a JIT, 1 KB; ms, fastest round (median)')
  console.log(
    `${''.padEnd(28)}${'noble'.padStart(16)}${'tweetnacl'.padStart(16)}${'ratio'.padStart(8)}  target`,
  )
  for (const [name, title] of [
    ['outgoing', 'sign and seal a request'],
    ['incoming', 'open and verify its response'],
  ] as const) {
    const ratio = (tweetnacl[name].fastest / noble[name].fastest).toFixed(1)
    const row = `${title.padEnd(28)}${shown(noble[name])}${shown(tweetnacl[name])}${ratio.padStart(8)}`
    console.log(`${row}  ${targets[name]}`)
    if (noble[name].fastest > targets[name]) process.exitCode = 1
  }
}

await main()
