/** Step-up challenges are consumed once and counters only rise, on both engines. */
import { expect, test } from 'vitest'
import { describeOnBothEngines, openForEach } from './engines.ts'
import { bytes, claimIdempotency, insertStepUp, NOW, raiseSoterCounter, useStepUp } from './records.ts'

describeOnBothEngines('step-ups', (create) => {
  const at = openForEach(create, 2)
  const { expectCommitted, expectRefused } = at

  test('a challenge is inserted once and is read back byte for byte by another connection', async () => {
    await expectCommitted(insertStepUp())
    await expectRefused(insertStepUp())
    const { kind: _, ...kept } = insertStepUp()
    expect(await at.other.findStepUp(bytes(32, 1))).toEqual({ ...kept, usedAt: null })
    expect(await at.other.findStepUp(bytes(32, 2))).toBeUndefined()
  })

  test('a challenge or a fingerprint of another length than 32 bytes is refused', async () => {
    await expectRefused({ ...insertStepUp(), challenge: bytes(31, 1) })
    await expectRefused({ ...insertStepUp(), fingerprint: bytes(33, 1) })
  })

  test('a challenge is consumed once', async () => {
    await expectCommitted(insertStepUp(), useStepUp())
    await expectRefused(useStepUp())
    expect(await at.store.findStepUp(bytes(32, 1))).toMatchObject({ usedAt: NOW + 1 })
  })

  test('a challenge is not consumed by another user, another device, for another request, or when it is unknown', async () => {
    await expectCommitted(insertStepUp())
    await expectRefused({ ...useStepUp(), user: 'user-2' })
    await expectRefused({ ...useStepUp(), device: 'device-2' })
    await expectRefused({ ...useStepUp(), fingerprint: bytes(32, 8) })
    await expectRefused(useStepUp(2))
    await expectCommitted(useStepUp())
  })

  test('a challenge is not consumed from the second in which it expires', async () => {
    await expectCommitted(insertStepUp(1), insertStepUp(2))
    await expectRefused(useStepUp(1, NOW + 180))
    await expectCommitted(useStepUp(2, NOW + 179))
  })

  test('a counter must rise: an equal or a lower one is refused', async () => {
    await expectCommitted(raiseSoterCounter(0))
    await expectRefused(raiseSoterCounter(0))
    await expectCommitted(raiseSoterCounter(5))
    await expectRefused(raiseSoterCounter(5))
    await expectRefused(raiseSoterCounter(4))
    await expectCommitted(raiseSoterCounter(Number.MAX_SAFE_INTEGER))
    await expectRefused(raiseSoterCounter(6))
    await expectRefused({ ...raiseSoterCounter(7), id: bytes(31, 1) })
    await expectCommitted(raiseSoterCounter(1, 2))
  })

  test('a challenge whose counter does not rise is not consumed', async () => {
    await expectCommitted(insertStepUp(), raiseSoterCounter(3))
    const writes = [useStepUp(), raiseSoterCounter(3)]
    expect(await at.store.commit(writes)).toMatchObject({ kind: 'refused', index: 1 })
    expect(await at.store.findStepUp(bytes(32, 1))).toMatchObject({ usedAt: null })
    await expectCommitted(useStepUp(), raiseSoterCounter(4))
  })

  test('of 50 simultaneous uses of one challenge over two connections exactly one commits', async () => {
    await expectCommitted(insertStepUp())
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => at.either(i).commit([useStepUp(), raiseSoterCounter(i)])),
    )
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
  })

  test('of 50 simultaneous results with one counter over two connections exactly one commits', async () => {
    await expectCommitted(...Array.from({ length: 50 }, (_, i) => insertStepUp(i + 1)))
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => at.either(i).commit([useStepUp(i + 1), raiseSoterCounter(1)])),
    )
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
  })

  test('a challenge is inserted together with the release of its key, or not at all', async () => {
    const release = { kind: 'release-idempotency', user: 'user-1', key: 'key', startedAt: NOW } as const
    expect(await at.store.commit([insertStepUp(), release])).toMatchObject({ kind: 'refused', index: 1 })
    expect(await at.store.findStepUp(bytes(32, 1))).toBeUndefined()
    await expectCommitted(claimIdempotency('key'), insertStepUp(), release, claimIdempotency('key'))
  })

  test('challenges are pruned after their expiry, consumed or not; counters never are', async () => {
    await expectCommitted(insertStepUp(1, NOW + 1), insertStepUp(2, NOW + 1), insertStepUp(3, NOW + 2))
    await expectCommitted(useStepUp(2, NOW), raiseSoterCounter(9))
    expect(await at.store.prune(NOW + 1, 10)).toBe(0)
    expect(await at.store.prune(NOW + 2, 10)).toBe(2)
    expect(await at.store.findStepUp(bytes(32, 3))).toBeDefined()
    await at.store.prune(NOW + 900 * 86_400, 10)
    await expectRefused(raiseSoterCounter(9))
  })
})
