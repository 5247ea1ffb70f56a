/**
 * Every parser, on arbitrary bytes and on input that is nearly right: it reads or refuses with its own error, what it reads
 * has one form, and nothing else ever comes out. `npm run fuzz` does the same for longer, led by coverage.
 */
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mutate, Random } from './mutate.ts'
import { tryInput } from './target.ts'
import { targets } from './targets.ts'

const numRuns = Number(process.env.TEST_PROPERTY_RUNS ?? 150)
const found = new URL('./found/', import.meta.url)

it('has a name of its own for every target', () => {
  expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length)
  expect(targets.length).toBeGreaterThan(50)
})

describe.each(targets.map((target) => [target.name, target] as const))('%s', (name, target) => {
  it('reads one of its seeds at least', () => {
    expect(target.seeds.map((seed) => tryInput(target, seed))).toContain(true)
  })

  it('takes arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300, size: 'max' }), (bytes) => {
        tryInput(target, bytes)
      }),
      { numRuns },
    )
  })

  it('takes seeds that were changed', () => {
    fc.assert(
      fc.property(fc.nat(target.seeds.length - 1), fc.integer(), (index, seed) => {
        tryInput(target, mutate(target.seeds[index] ?? new Uint8Array(0), new Random(seed), target.seeds))
      }),
      { numRuns: 2 * numRuns },
    )
  })

  it('takes what was found before', () => {
    const files = readdirSync(found).filter((file) => file.startsWith(`${name}.`))
    for (const file of files) tryInput(target, new Uint8Array(readFileSync(new URL(file, found))))
  })
})
