/**
 * Every parser on arbitrary and on almost valid input: it accepts it, or it refuses with its own error, and accepted input
 * has one encoding. `npm run fuzz` does the same for longer, guided by coverage.
 */
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mutate, Random } from './mutate.ts'
import { tryInput } from './target.ts'
import { targets } from './targets.ts'

const numRuns = Number(process.env.TEST_PROPERTY_RUNS ?? 150)
const found = new URL('./found/', import.meta.url)

it('every fuzz target has a unique name', () => {
  expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length)
  expect(targets.length).toBeGreaterThan(50)
})

describe.each(targets.map((target) => [target.name, target] as const))('fuzz target %s', (name, target) => {
  it('the parser accepts at least one of its seeds', () => {
    expect(target.seeds.map((seed) => tryInput(target, seed))).toContain(true)
  })

  it('the parser accepts or refuses arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300, size: 'max' }), (bytes) => {
        tryInput(target, bytes)
      }),
      { numRuns },
    )
  })

  it('the parser accepts or refuses mutated seeds', () => {
    fc.assert(
      fc.property(fc.nat(target.seeds.length - 1), fc.integer(), (index, seed) => {
        tryInput(target, mutate(target.seeds[index] ?? new Uint8Array(0), new Random(seed), target.seeds))
      }),
      { numRuns: 2 * numRuns },
    )
  })

  it('the parser accepts or refuses every earlier finding', () => {
    const files = readdirSync(found).filter((file) => file.startsWith(`${name}.`))
    for (const file of files) tryInput(target, new Uint8Array(readFileSync(new URL(file, found))))
  })
})
