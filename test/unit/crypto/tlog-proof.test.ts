import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import type { TlogProof } from '../../../crypto/tlog/tlog-proof.ts'
import { encodeTlogProof, parseTlogProof, verifyTlogProof } from '../../../crypto/tlog/tlog-proof.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { reasonOf } from './code-of.ts'
import { fixed, flipped, now } from './fixed-inputs.ts'
import { checkpointOf, hashes, policy, proofOf } from './fixed-log.ts'
import { implementations } from './implementations.ts'

const [first = fixed('x')] = hashes
const bare = checkpointOf(70)
const { checkpoint } = proofOf(0)

it('a proof has the form of the specification', () => {
  const single = checkpointOf(2)
  const sibling = Buffer.from(hashes[0] ?? []).toString('base64')
  const proof = { extra: Uint8Array.of(1, 2, 3), index: 1, hashes: [first], checkpoint: single }
  expect(encodeTlogProof(proof)).toBe(`c2sp.org/tlog-proof@v1\nextra AQID\nindex 1\n${sibling}\n\n${single}`)
})

it('a proof decodes to the encoded value', () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const any = fc.record(
    {
      extra: fc.uint8Array({ minLength: 1, maxLength: 100 }),
      index: fc.maxSafeNat(),
      hashes: fc.array(hash, { maxLength: 63 }),
      checkpoint: fc.constant(checkpoint),
    },
    { requiredKeys: ['index', 'hashes', 'checkpoint'] },
  )
  fc.assert(
    fc.property(any, (proof) => {
      expect(parseTlogProof(encodeTlogProof(proof))).toEqual(proof)
    }),
  )
})

it.each<[string, TlogProof]>([
  ['half an index', { ...proofOf(5), index: 0.5 }],
  ['a negative index', { ...proofOf(5), index: -1 }],
  ['extra data of nothing', { ...proofOf(5), extra: new Uint8Array(0) }],
  ['a short hash', { ...proofOf(5), hashes: [new Uint8Array(31)] }],
  ['no checkpoint', { ...proofOf(5), checkpoint: 'hello' }],
])('a proof is not encoded with %s', (_title, bad) => expect(() => encodeTlogProof(bad)).toThrow(FormatError))

it('a proof has at most 63 hashes and 262144 characters, both ways', () => {
  const hash = fixed('hash')
  const of = (hashes: number, extra = 1) => ({
    ...proofOf(5),
    hashes: new Array<Uint8Array>(hashes).fill(hash),
    extra: new Uint8Array(extra),
  })
  expect(parseTlogProof(encodeTlogProof(of(63)))).toEqual(of(63))
  expect(() => encodeTlogProof(of(64))).toThrow(FormatError)
  const room = 262_144 - encodeTlogProof(of(1, 3)).length
  const extra = 3 + Math.floor(room / 4) * 3
  const longest = encodeTlogProof(of(1, extra))
  expect(parseTlogProof(longest)).toEqual(of(1, extra))
  expect(() => encodeTlogProof(of(1, extra + 3))).toThrow(new FormatError('the proof is too long'))
  expect(() => parseTlogProof(longest.padEnd(262_145, '\n'))).toThrow(
    new FormatError('the proof is too long'),
  )
})

it.each(implementations)('verifyTlogProof accepts the proof of every leaf, with $name', (each) => {
  for (const index of [0, 5, 63, 64, 69]) {
    const judged = verifyTlogProof(each, encodeTlogProof(proofOf(index)), hashes[index] ?? first, policy)
    expect(judged).toMatchObject({ index, cosignatures: [{ witness: 'w1', time: now }] })
    expect(judged.checkpoint.size).toBe(70)
  }
})

it('verifyTlogProof throws the reason of each wrong proof', () => {
  const judge = (proof: TlogProof, leaf = 5, by = policy) =>
    reasonOf(() => verifyTlogProof(primitives, encodeTlogProof(proof), hashes[leaf] ?? first, by))
  expect(judge(proofOf(5))).toBeUndefined()
  expect(judge(proofOf(5), 6)).toBe('inclusion_wrong')
  expect(judge({ ...proofOf(5), index: 4 })).toBe('inclusion_wrong')
  expect(judge({ ...proofOf(5), index: 70 })).toBe('inclusion_wrong')
  expect(judge({ ...proofOf(5), hashes: [] })).toBe('inclusion_wrong')
  expect(judge({ ...proofOf(5), checkpoint: bare })).toBe('quorum_missing')
  expect(judge(proofOf(5), 5, { ...policy, logs: [] })).toBe('origin_wrong')
  expect(reasonOf(() => verifyTlogProof(primitives, 'hello', first, policy))).toBe('proof_malformed')
})

it('verifyTlogProof refuses a proof after any flipped bit', () => {
  const leaf = hashes[5] ?? first
  const bytes = new TextEncoder().encode(encodeTlogProof(proofOf(5)))
  // Every bit of the first lines and hashes, and some of the checkpoint, whose bits have their own test.
  for (let bit = 0; bit < bytes.length * 8; bit += bit < 1000 ? 1 : 5) {
    const changed = new TextDecoder().decode(flipped(bytes, Math.floor(bit / 8), bit % 8))
    expect(
      reasonOf(() => verifyTlogProof(primitives, changed, leaf, policy)),
      `bit ${bit}`,
    ).toBeDefined()
  }
})
