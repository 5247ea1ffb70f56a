/**
 * `exchange.pml`: every property holds in every state; without any one of the guards, the search finds a violation.
 * `TEST_MODEL=large` searches larger bounds (`TEST_MODEL=large npx vitest run test/e2e/model`).
 */
import { expect, it } from 'vitest'
import { search } from './spin.ts'

const model = new URL('./exchange.pml', import.meta.url).pathname
const isLarge = process.env.TEST_MODEL === 'large'

const small = [
  'FRAMES=2 CANCELLERS=0',
  'FRAMES=2 RECOVERIES=1',
  'FRAMES=3 RECOVERIES=0',
  'FRAMES=2 RECOVERIES=1 IDEMPOTENT_ROUTE',
]
const large = [
  'FRAMES=2 CANCELLERS=2 RECOVERIES=1',
  'FRAMES=2 CANCELLERS=2 RECOVERIES=1 IDEMPOTENT_ROUTE',
  ...['', 'SAME_BODY ', 'IDEMPOTENT_ROUTE ', 'SAME_BODY IDEMPOTENT_ROUTE '].flatMap((more) => [
    `FRAMES=3 ${more}RECOVERIES=1`,
    `FRAMES=3 ${more}CANCELLERS=0`,
  ]),
  'FRAMES=2 SERVICES=3 RECOVERIES=1',
  'FRAMES=2 SERVICES=3 RECOVERIES=1 IDEMPOTENT_ROUTE',
]

const properties = {
  once: 'accepted[frame]==1',
  revoked: '!(revoked)',
  effect: 'effects==1',
  logged: '(intent[frame]||(leaf[frame]',
  kept: '(accepted[frame]==0)||intent[frame]',
  first: '(firstResponse==0)',
  own: 'keyBody==',
  loggedOnce: '!(unknownLeaf[frame])',
  none: ['!(reportedNone)', 'effects==0'],
}

it.each(isLarge ? large : small)(
  'the model of an exchange holds in every state and takes every step: %s',
  {
    timeout: 1_200_000,
  },
  async (bounds) => {
    const { states, violated, unreached } = await search(model, bounds.split(' '))
    process.stdout.write(`model ${bounds}: ${states} states\n`)
    expect(violated).toBeUndefined()
    if (!/(?:RECOVERIES|CANCELLERS)=0/.test(bounds)) expect(unreached).toEqual([])
    expect(states).toBeGreaterThan(100_000)
  },
)

it.each([
  ['a nonce is unique', 'WITHOUT_UNIQUE_NONCE', 'once'],
  ['a nonce is kept until its signature expires', 'WITHOUT_KEEPING_NONCES', 'once'],
  ['revocation is checked in the commit', 'WITHOUT_REVOCATION_IN_COMMIT', 'revoked'],
  ['an Idempotency-Key is claimed', 'WITHOUT_KEY_CLAIM', 'effect'],
  ['only an idempotent route is executed again', 'WITHOUT_LIMIT_OF_TAKE_OVER', 'effect'],
  ['a failed backend leaves the outcome unknown', 'WITHOUT_UNKNOWN_OUTCOME', 'effect'],
  ['the intent is in the commit of the claim', 'WITHOUT_INTENT_IN_COMMIT', 'kept'],
  ['the intent comes before the effect', 'WITHOUT_INTENT_BEFORE_EFFECT', 'logged'],
  ['the leaf is in the commit of the response', 'WITHOUT_LEAF_IN_COMMIT', 'kept'],
  ['the response is sent after its commit', 'WITHOUT_RESPONSE_AFTER_COMMIT', 'first'],
  ['a key gets one outcome', 'WITHOUT_SETTLED_ONCE', 'first', 'SAME_BODY'],
  ['a different body is a different request', 'WITHOUT_FINGERPRINT', 'own'],
  ['only the process that executes a request settles its key', 'WITHOUT_OWNER', 'own', 'IDEMPOTENT_ROUTE'],
  ['cancelling claims the key', 'WITHOUT_FENCE', 'none'],
  ['cancelling waits for a running request', 'WITHOUT_WAITING_FOR_RUNNING', 'none'],
  ['a request without an effect settles its key', 'WITHOUT_SETTLED_REFUSAL', 'none', 'CANCELLERS=0'],
  [
    'only a request that claimed its key reports its outcome',
    'WITHOUT_OUTCOME_FROM_CLAIM',
    'none',
    'CANCELLERS=0',
  ],
  ['a settled key outlives every frame', 'WITHOUT_KEEPING_KEYS', 'none'],
  ['the outcome none is sent after its commit', 'WITHOUT_NONE_AFTER_COMMIT', 'none', 'IDEMPOTENT_ROUTE'],
  [
    'a process that took over never reports the outcome none',
    'WITHOUT_UNKNOWN_AFTER_TAKE_OVER',
    'none',
    'IDEMPOTENT_ROUTE',
  ],
  ['a process that took over frees no key', 'WITHOUT_LOST_AGAIN', 'none', 'IDEMPOTENT_ROUTE'],
  ['only one process reports a lost request', 'WITHOUT_ONE_REPORT', 'loggedOnce'],
] as const)('the model of an exchange needs this guard: %s', async (_guard, define, property, ...bounds) => {
  const { violated } = await search(model, [
    define,
    ...(define === 'WITHOUT_ONE_REPORT' ? [] : ['RECOVERIES=0']),
    ...(property === 'none' ? [] : ['NO_REPORTS', 'CANCELLERS=0']),
    ...bounds,
  ])
  expect([properties[property]].flat().some((harm) => violated?.includes(harm))).toBe(true)
})

it('the model of an exchange requires that a service claims a nonce within its retention time', async () => {
  const { violated } = await search(model, ['SUSPENDED_SERVICE', 'RECOVERIES=0', 'CANCELLERS=0'])
  expect(violated).toContain(properties.once)
})
