/**
 * Random actions of clients, attackers and operators against a real service over HTTP with a real database, compared with
 * a model of the protocol. `TEST_MODEL_RUNS` sets the number of runs; a failure prints its seed.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { commands, logInNewDevice } from './commands.ts'
import { Model } from './model.ts'
import { RealExchange } from './real-exchange.ts'

const numRuns = Number(process.env.TEST_MODEL_RUNS ?? 10)
const real = new RealExchange()

beforeAll(() => real.start())

afterAll(() => real.end())

it('each key has one effect, or none if none was reported, under copies, delays, repetitions, revocations and restarts', {
  timeout: 10_000 + numRuns * 5_000,
}, async () => {
  const counts = { commands: 0, effects: 0 }
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 30, size: 'max' }), async (chosen) => {
      const model = new Model()
      await logInNewDevice.run(model, real)
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
  expect(counts.effects).toBeGreaterThan(0)
})
