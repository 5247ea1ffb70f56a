/** A flood of refusals takes a bounded number of leaves, and none of them is lost. */
import { expect, it } from 'vitest'
import { createGaps, createRefusalBudget } from '../../../service/tlog/appender.ts'

it('gives a source thirty leaves a minute, counts the others by code, and leaves other sources alone', async () => {
  const budget = createRefusalBudget()
  let singly = 0
  for (let i = 0; i < 100; i++) if (await budget.take('10.0.0.1', 'cannot_open', 1000 + i)) singly += 1
  expect(singly).toBe(30)
  expect(await budget.take('10.0.0.1', 'replayed', 5000)).toBe(false)
  expect(await budget.take('10.0.0.2', 'cannot_open', 5000)).toBe(true)
  expect(budget.takeCounted()).toEqual([
    { code: 'cannot_open', n: 70, from: 1030, to: 1099 },
    { code: 'replayed', n: 1, from: 5000, to: 5000 },
  ])
  expect(budget.takeCounted()).toEqual([])
})

it('has a bound for all sources together', async () => {
  const budget = createRefusalBudget()
  let singly = 0
  for (let i = 0; i < 1300; i++)
    if (await budget.take(`10.0.${i >> 8}.${i % 256}`, 'cannot_open', i)) singly += 1
  expect(singly).toBe(1200)
  expect(budget.takeCounted()).toEqual([{ code: 'cannot_open', n: 100, from: 1200, to: 1299 }])
})

it('adds what is given back to what was counted since', async () => {
  const budget = createRefusalBudget()
  for (let i = 0; i < 32; i++) await budget.take('10.0.0.1', 'cannot_open', 1000 + i)
  const taken = budget.takeCounted()
  await budget.take('10.0.0.1', 'cannot_open', 2000)
  budget.giveBack(taken)
  expect(budget.takeCounted()).toEqual([{ code: 'cannot_open', n: 3, from: 1030, to: 2000 }])
})

it('a gap grows until it is taken, and again when it is given back', () => {
  const gaps = createGaps()
  expect(gaps.take()).toBeUndefined()
  gaps.note(5)
  gaps.note(3)
  const taken = gaps.take()
  expect(taken).toEqual({ from: 3, to: 5, n: 2 })
  expect(gaps.take()).toBeUndefined()
  gaps.note(9)
  gaps.giveBack(taken)
  expect(gaps.take()).toEqual({ from: 3, to: 9, n: 3 })
})
