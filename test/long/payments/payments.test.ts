/** Payments over a network that copies and delays, by users who cancel, to a service that is killed. */
import { expect, it } from 'vitest'
import { runPayments } from './run.ts'

const payments = Number(process.env.TEST_PAYMENTS ?? 1_000)

it('every payment is made once or not at all, and every reported outcome is true, through kills and copied and delayed messages', {
  timeout: payments * 6_000,
}, async () => {
  const { wrong, made, kills, network, people } = await runPayments(payments)
  console.log(JSON.stringify({ payments, made, kills, network, people, wrong }))
  expect(wrong).toEqual({
    ...{ doubled: 0, unpaidButMade: 0, paidButNotMade: 0, leftUnknown: 0, contradictions: 0 },
  })
  expect(made).toBeGreaterThan(0)
  for (const seen of [kills, network.copies, network.lateReleases, people.giveUps])
    expect(seen).toBeGreaterThan(0)
})
