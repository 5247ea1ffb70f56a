/**
 * Anything that clients, attackers and operators do, in any order, against a real service over HTTP with a real database:
 * what comes of it is what the protocol says. `TEST_MODEL_RUNS` makes more of it; a failure prints its seed.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { commands, LogIn } from './commands.ts'
import { Model } from './model.ts'
import { RealExchange } from './real-exchange.ts'

const numRuns = Number(process.env.TEST_MODEL_RUNS ?? 10)
const real = new RealExchange()

beforeAll(() => real.start())

afterAll(() => real.end())

it('keeps one effect for one key, and none for whoever was told none, whatever is copied, held, repeated, revoked and restarted', {
  timeout: 10_000 + numRuns * 5_000,
}, async () => {
  const counts = { commands: 0, effects: 0 }
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 30, size: 'max' }), async (chosen) => {
      const model = new Model()
      await new LogIn().run(model, real)
      await fc.asyncModelRun(() => ({ model, real }), chosen)
      for (const { name, state } of model.keys) {
        const user = model.session(0).real.user
        expect(real.effectsOf(user, name)).toBe(state === 'answered' || state === 'unknown' ? 1 : 0)
        counts.effects += real.effectsOf(user, name)
      }
      counts.commands += [...chosen].length
    }),
    { numRuns },
  )
  process.stdout.write(
    `model-based: ${numRuns} runs, ${counts.commands} commands, ${counts.effects} effects\n`,
  )
  // Otherwise nothing was tried.
  expect(counts.effects).toBeGreaterThan(0)
})
