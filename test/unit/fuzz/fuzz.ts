/**
 * Fuzzing guided by coverage: an input with new coverage joins the corpus.
 *
 * `npm run fuzz -- --seconds 10 --target frame --seed 7`: ten seconds for one target; without `--target`, for each. It minimises
 * findings and writes them to `found/`, which `npm test` runs, and then exits with 1.
 */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { encodeHex } from '../../../crypto/text.ts'
import { Coverage } from './coverage.ts'
import { mutate, Random } from './mutate.ts'
import type { Target } from './target.ts'
import { tryInput } from './target.ts'
import { targets } from './targets.ts'

/** Inputs between two reads of the coverage, which cost as much as many short parses. */
const batch = 200

export interface Fuzzed {
  readonly executions: number
  readonly corpus: number
  /** Characters of our code that ran. */
  readonly reached: number
  /** The number of accepted inputs. */
  readonly read: number
  readonly found?: { readonly input: Uint8Array; readonly error: unknown }
}

/** @param until when it stops, by `performance.now()` */
export function fuzz(target: Target, seed: number, until: number): Fuzzed {
  const coverage = new Coverage()
  const random = new Random(seed)
  const corpus = [...target.seeds]
  let [executions, read] = [0, 0]
  const run = (input: Uint8Array): unknown => {
    executions++
    try {
      if (tryInput(target, input)) read++
      return undefined
    } catch (error) {
      return error ?? new Error('undefined was thrown')
    }
  }
  const result = (): Fuzzed => ({ executions, corpus: corpus.length, reached: coverage.size, read })
  try {
    for (const input of target.seeds) {
      const error = run(input)
      if (error !== undefined) return { ...result(), found: { input, error } }
    }
    coverage.take()
    while (performance.now() < until) {
      const inputs = Array.from({ length: batch }, () => mutate(random.of(corpus), random, corpus))
      for (const input of inputs) {
        const error = run(input)
        if (error !== undefined) return { ...result(), found: { input: minimise(target, input), error } }
      }
      const places = new Set(coverage.take())
      if (places.size > 0) corpus.push(...findNew(target, inputs, coverage, places))
    }
    return result()
  } finally {
    coverage.close()
  }
}

/** The inputs of a batch that reach the new places, found by bisection. */
function findNew(
  target: Target,
  inputs: readonly Uint8Array[],
  coverage: Coverage,
  places: Set<string>,
): readonly Uint8Array[] {
  for (const input of inputs) tryInput(target, input)
  const reached = coverage.which(places)
  const [first] = inputs
  if (reached.length === 0 || first === undefined) return []
  if (inputs.length === 1) {
    for (const place of reached) places.delete(place)
    return [first]
  }
  const half = Math.ceil(inputs.length / 2)
  const kept = findNew(target, inputs.slice(0, half), coverage, places)
  return places.size === 0 ? kept : [...kept, ...findNew(target, inputs.slice(half), coverage, places)]
}

/** Removes pieces of decreasing size while the finding remains. */
function minimise(target: Target, found: Uint8Array): Uint8Array {
  let input = found
  const isFound = (candidate: Uint8Array): boolean => {
    try {
      tryInput(target, candidate)
      return false
    } catch {
      return true
    }
  }
  for (let size = Math.ceil(input.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < input.length; ) {
      const shorter = Uint8Array.of(...input.subarray(0, at), ...input.subarray(at + size))
      if (isFound(shorter)) input = shorter
      else at += size
    }
  }
  return input
}

function main(): void {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '5' },
      target: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  })
  const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target)
  if (chosen.length === 0) throw new Error(`the targets are: ${targets.map(({ name }) => name).join(', ')}`)
  for (const target of chosen) {
    const until = performance.now() + Number(values.seconds) * 1000
    const { executions, corpus, reached, read, found } = fuzz(target, Number(values.seed), until)
    const counts = `${executions} executions, ${read} read, corpus ${corpus}, ${reached} characters reached`
    process.stdout.write(`${target.name.padEnd(24)} ${counts}\n`)
    if (found === undefined) continue
    const digest = createHash('sha256').update(found.input).digest('hex').slice(0, 16)
    writeFileSync(new URL(`./found/${target.name}.${digest}`, import.meta.url), found.input)
    process.stdout.write(
      `FOUND in ${target.name}, seed ${values.seed}: ${String(found.error)}\n  ${encodeHex(found.input)}\n`,
    )
    process.exitCode = 1
  }
}

if (import.meta.filename === process.argv[1]) main()
