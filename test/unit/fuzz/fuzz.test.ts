/** The fuzzer finds what lies behind a condition after a condition, and makes it small. */
import { expect, it } from 'vitest'
import { ProtocolError } from '../../../crypto/errors.ts'
import { parseFrame } from '../../../crypto/frames/frame.ts'
import { fuzz } from './fuzz.ts'
import { Broken, binaryTarget } from './target.ts'

it('goes from an empty input, by coverage, to a frame of a kind, and leaves away what is not needed', () => {
  const target = binaryTarget('planted', {
    seeds: [new Uint8Array(64)],
    refusals: [ProtocolError],
    parse: (bytes) => {
      if (parseFrame(bytes, 1_000).kind === 'refusal') throw new Broken('planted')
    },
  })
  const { found, corpus, executions } = fuzz(target, 7, performance.now() + 25_000)
  expect(found?.error).toEqual(new Broken('planted'))
  expect([...(found?.input ?? [])]).toEqual([0x01, 0x0f])
  // The seed, and what was kept on the way.
  expect(corpus).toBeGreaterThan(1)
  expect(executions).toBeGreaterThan(100)
})
