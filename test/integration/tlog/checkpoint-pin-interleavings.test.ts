/** Several processes that keep checkpoints at one time: every order of their file operations. */
import { AsyncLocalStorage } from 'node:async_hooks'
import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { signCheckpoint } from '../../../service/tlog/checkpoint.ts'
import { openCheckpointPin, PinnedCheckpointDamaged } from '../../../service/tlog/checkpoint-pin.ts'
import { testOrigin } from '../../support/log-records.ts'
import { type Machine, newMachine } from '../../support/opened-log.ts'

/** Whoever runs under it waits here before each file operation. */
type Gate = () => Promise<void>

const gates = vi.hoisted(() => ({ find: (): Gate | undefined => undefined }))

vi.mock('node:fs/promises', async (load) => {
  const real = await load<Record<string, unknown>>()
  return Object.fromEntries(
    Object.entries(real).map(([name, value]) => {
      if (typeof value !== 'function') return [name, value]
      const gated = async (...inputs: unknown[]): Promise<unknown> => {
        await gates.find()?.()
        return await value(...inputs)
      }
      return [name, gated]
    }),
  )
})

const current = new AsyncLocalStorage<Gate>()
gates.find = () => current.getStore()

let machine: Machine | undefined

afterEach(() => machine?.remove())

const key = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(1))
const note = (size: number, fill = size): string =>
  signCheckpoint({ origin: testOrigin, size, root: new Uint8Array(32).fill(fill) }, [key])

/** One process that keeps a checkpoint, and stops before each file operation until it is let on. */
class Keeper {
  ended = false
  /** Why it failed. */
  failure: unknown
  #letOn: (() => void) | undefined
  #stopped: () => void = () => undefined
  readonly #folder: string
  readonly #checkpoint: string

  constructor(folder: string, checkpoint: string) {
    this.#folder = folder
    this.#checkpoint = checkpoint
  }

  /** One operation, or the start; resolves when the next one waits, or none is left. */
  async step(): Promise<void> {
    const stops = new Promise<void>((resolve) => {
      this.#stopped = resolve
    })
    if (this.#letOn === undefined) this.#start()
    else this.#letOn()
    await stops
  }

  #start(): void {
    const gate: Gate = () =>
      new Promise((resolve) => {
        this.#letOn = resolve
        this.#stopped()
      })
    void current.run(gate, async () => {
      try {
        await openCheckpointPin(this.#folder).keep(this.#checkpoint)
      } catch (error) {
        this.failure = error
      }
      this.ended = true
      this.#stopped()
    })
  }
}

async function runToEnd(keeper: Keeper): Promise<void> {
  while (!keeper.ended) await keeper.step()
}

/** Lets one of those that are left do its next operation, as `choices` says, until all have ended. */
async function runInOrder(keepers: readonly Keeper[], choices: readonly number[]): Promise<void> {
  for (let turn = 0; ; turn++) {
    const left = keepers.filter((keeper) => !keeper.ended)
    if (left.length === 0) return
    await left[(choices[turn % choices.length] ?? 0) % left.length]?.step()
  }
}

it('a pin write is late, not damaged, when a larger checkpoint is written between any two of its operations', async () => {
  for (const [first, second] of [
    [5, 6],
    [6, 5],
    [5, 5],
  ] as const) {
    let steps = 0
    for (let isWhole = false; !isWhole; steps++) {
      machine = newMachine()
      await openCheckpointPin(machine.folder).keep(note(4))
      const early = new Keeper(machine.folder, note(first))
      for (let step = 0; step < steps && !early.ended; step++) await early.step()
      isWhole = early.ended
      const other = new Keeper(machine.folder, note(second))
      await runToEnd(other)
      await runToEnd(early)
      expect([early.failure, other.failure]).toEqual([undefined, undefined])
      expect((await openCheckpointPin(machine.folder).find(testOrigin))?.size).toBe(Math.max(first, second))
      machine.remove()
    }
    expect(steps).toBeGreaterThan(5)
  }
})

it('the pin keeps the largest checkpoint in every order of many processes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 2, maxLength: 6 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 80 }),
      async (sizes, choices) => {
        const { folder, remove } = newMachine()
        try {
          const keepers = sizes.map((size) => new Keeper(folder, note(size)))
          await runInOrder(keepers, choices)
          expect(keepers.map((keeper) => keeper.failure)).toEqual(sizes.map(() => undefined))
          expect((await openCheckpointPin(folder).find(testOrigin))?.size).toBe(Math.max(...sizes))
        } finally {
          remove()
        }
      },
    ),
    { numRuns: 60 },
  )
})

it('the pin detects two checkpoints of one size in every order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { minLength: 1, maxLength: 60 }), async (choices) => {
      const { folder, remove } = newMachine()
      try {
        const keepers = [new Keeper(folder, note(5)), new Keeper(folder, note(5, 6))]
        await runInOrder(keepers, choices)
        const failures = keepers.map((keeper) => keeper.failure).filter((failure) => failure !== undefined)
        expect(failures).toHaveLength(1)
        expect(failures[0]).toBeInstanceOf(PinnedCheckpointDamaged)
      } finally {
        remove()
      }
    }),
    { numRuns: 30 },
  )
})
