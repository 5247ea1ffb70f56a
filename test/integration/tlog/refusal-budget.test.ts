/** A flood of refusals takes a bounded number of entries, and none of them is lost. */
import { expect, it } from 'vitest'
import { createRefusalBudget, createTally } from '../../../service/tlog/appender.ts'

it('the refusal budget gives each source thirty entries a minute and counts the other refusals by code', async () => {
  const budget = createRefusalBudget()
  let singly = 0
  for (let i = 0; i < 100; i++) if (await budget.take('10.0.0.1', 'cannot_open', 1000 + i)) singly += 1
  expect(singly).toBe(30)
  expect(await budget.take('10.0.0.1', 'replayed', 5000)).toBe(false)
  expect(await budget.take('10.0.0.2', 'cannot_open', 5000)).toBe(true)
  expect(budget.counts.take()).toEqual([
    { key: 'cannot_open', n: 70, from: 1030, to: 1099 },
    { key: 'replayed', n: 1, from: 5000, to: 5000 },
  ])
  expect(budget.counts.take()).toEqual([])
})

it('the refusal budget has a limit for all sources together', async () => {
  const budget = createRefusalBudget()
  let singly = 0
  for (let i = 0; i < 1300; i++)
    if (await budget.take(`10.0.${i >> 8}.${i % 256}`, 'cannot_open', i)) singly += 1
  expect(singly).toBe(1200)
  expect(budget.counts.take()).toEqual([{ key: 'cannot_open', n: 100, from: 1200, to: 1299 }])
})

it('counts that are added back are merged with later ones', async () => {
  const budget = createRefusalBudget()
  for (let i = 0; i < 32; i++) await budget.take('10.0.0.1', 'cannot_open', 1000 + i)
  const taken = budget.counts.take()
  await budget.take('10.0.0.1', 'cannot_open', 2000)
  budget.counts.add(...taken)
  expect(budget.counts.take()).toEqual([{ key: 'cannot_open', n: 3, from: 1030, to: 2000 }])
})

it('a tally grows until it is taken, and again when it is added back', () => {
  const gaps = createTally<string>()
  expect(gaps.take()).toEqual([])
  for (const at of [5, 3]) gaps.add({ key: 'gap', n: 1, from: at, to: at })
  const taken = gaps.take()
  expect(taken).toEqual([{ key: 'gap', from: 3, to: 5, n: 2 }])
  expect(gaps.take()).toEqual([])
  gaps.add({ key: 'gap', n: 1, from: 9, to: 9 })
  gaps.add(...taken)
  expect(gaps.take()).toEqual([{ key: 'gap', from: 3, to: 9, n: 3 }])
})
