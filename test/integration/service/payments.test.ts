/** A few of the payments of `npm run test:payments`: a network that lies, people who give up, a service that is killed. */
import { expect, it } from 'vitest'
import { runPayments } from '../../long/payments/run.ts'

it('payments run exactly once or not at all, and are reported so, through kills and a network that duplicates and delays', {
  timeout: 240_000,
}, async () => {
  const { wrong, made, kills, network, people } = await runPayments(40)
  expect(wrong).toEqual({
    ...{ doubled: 0, unpaidButMade: 0, paidButNotMade: 0, leftUnknown: 0, contradictions: 0 },
  })
  expect(made).toBeGreaterThan(0)
  for (const seen of [kills, network.copies, network.lateReleases, people.giveUps])
    expect(seen).toBeGreaterThan(0)
})
