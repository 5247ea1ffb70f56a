/** The fuzzer finds an input behind nested conditions and minimises it. */
import { expect, it } from 'vitest'
import { ProtocolError } from '../../../crypto/errors.ts'
import { parseFrame } from '../../../crypto/frames/frame.ts'
import { fuzz } from './fuzz.ts'
import { Broken, binaryTarget } from './target.ts'

it('the fuzzer finds a planted defect by coverage and minimises its input', () => {
  const target = binaryTarget('planted', [ProtocolError], [new Uint8Array(64)], (bytes) => {
    if (parseFrame(bytes, 1_000).kind === 'refusal') throw new Broken('planted')
  })
  const { found, corpus, executions } = fuzz(target, 7, performance.now() + 25_000)
  expect(found?.error).toEqual(new Broken('planted'))
  expect([...(found?.input ?? [])]).toEqual([0x01, 0x0f])
  // The seed and the inputs with new coverage.
  expect(corpus).toBeGreaterThan(1)
  expect(executions).toBeGreaterThan(100)
})
