/**
 * `exchange.pml`: as it stands every property holds in every state; with one guard taken away the search finds the harm.
 * `TEST_MODEL=large` searches larger bounds (`TEST_MODEL=large npx vitest run test/e2e/model`).
 */
import { describe, expect, it } from 'vitest'
import { search } from './spin.ts'

const model = new URL('./exchange.pml', import.meta.url).pathname
const isLarge = process.env.TEST_MODEL === 'large'

const small = [
  'FRAMES=2 CANCELLERS=0',
  'FRAMES=2 HOUSEKEEPERS=1',
  'FRAMES=3 HOUSEKEEPERS=0',
  'FRAMES=2 HOUSEKEEPERS=1 IDEMPOTENT_ROUTE',
]
const large = [
  'FRAMES=2 CANCELLERS=2 HOUSEKEEPERS=1',
  'FRAMES=2 CANCELLERS=2 HOUSEKEEPERS=1 IDEMPOTENT_ROUTE',
  ...['', 'SAME_BODY ', 'IDEMPOTENT_ROUTE ', 'SAME_BODY IDEMPOTENT_ROUTE '].flatMap((more) => [
    `FRAMES=3 ${more}HOUSEKEEPERS=1`,
    `FRAMES=3 ${more}CANCELLERS=0`,
  ]),
  'FRAMES=2 SERVICES=3 HOUSEKEEPERS=1',
  'FRAMES=2 SERVICES=3 HOUSEKEEPERS=1 IDEMPOTENT_ROUTE',
]

const properties = {
  once: 'accepted[frame]==1',
  revoked: '!(revoked)',
  effect: 'effects==1',
  logged: '(intent[frame]||(leaf[frame]',
  kept: '(accepted[frame]==0)||intent[frame]',
  first: '(firstAnswer==0)',
  own: 'keyBody==',
  told: '!(unknownLeaf[frame])',
  none: ['!(toldNone)', 'effects==0'],
}

describe('the model of an exchange', () => {
  it.each(isLarge ? large : small)(
    'holds in every state, and every step of it is taken: %s',
    {
      timeout: 1_200_000,
    },
    async (bounds) => {
      const { states, violated, unreached } = await search(model, bounds.split(' '))
      process.stdout.write(`model ${bounds}: ${states} states\n`)
      expect(violated).toBeUndefined()
      if (!/(?:HOUSEKEEPERS|CANCELLERS)=0/.test(bounds)) expect(unreached).toEqual([])
      expect(states).toBeGreaterThan(100_000)
    },
  )

  it.each([
    ['a nonce is unique', 'WITHOUT_UNIQUE_NONCE', 'once'],
    ['a nonce is kept until its signature cannot pass', 'WITHOUT_KEEPING_NONCES', 'once'],
    ['revocation is looked at in the commit', 'WITHOUT_REVOCATION_IN_COMMIT', 'revoked'],
    ['an Idempotency-Key is claimed', 'WITHOUT_KEY_CLAIM', 'effect'],
    ['only a backend that promises it is asked again', 'WITHOUT_LIMIT_OF_TAKE_OVER', 'effect'],
    ['a failed backend leaves the outcome unknown', 'WITHOUT_UNKNOWN_OUTCOME', 'effect'],
    ['the intent is in the commit of the claim', 'WITHOUT_INTENT_IN_COMMIT', 'kept'],
    ['the intent comes before the effect', 'WITHOUT_INTENT_BEFORE_EFFECT', 'logged'],
    ['the leaf is in the commit of the answer', 'WITHOUT_LEAF_IN_COMMIT', 'kept'],
    ['the answer leaves after its commit', 'WITHOUT_ANSWER_AFTER_COMMIT', 'first'],
    ['a key is settled once', 'WITHOUT_SETTLED_ONCE', 'first', 'SAME_BODY'],
    ['another body is another request', 'WITHOUT_FINGERPRINT', 'own'],
    ['a key is settled by whoever works on it', 'WITHOUT_OWNER', 'own', 'IDEMPOTENT_ROUTE'],
    ['a key that is given up is claimed', 'WITHOUT_FENCE', 'none'],
    ['a running request is not given up', 'WITHOUT_WAITING_FOR_RUNNING', 'none'],
    ['what did nothing settles its key', 'WITHOUT_SETTLED_REFUSAL', 'none', 'CANCELLERS=0'],
    ['a copy says nothing of the key', 'WITHOUT_OUTCOME_FROM_CLAIM', 'none', 'CANCELLERS=0'],
    ['a settled key outlives every frame', 'WITHOUT_KEEPING_KEYS', 'none'],
    ['none leaves after its commit', 'WITHOUT_NONE_AFTER_COMMIT', 'none', 'IDEMPOTENT_ROUTE'],
    ['who took over never says none', 'WITHOUT_UNKNOWN_AFTER_TAKE_OVER', 'none', 'IDEMPOTENT_ROUTE'],
    ['who took over frees no key', 'WITHOUT_LOST_AGAIN', 'none', 'IDEMPOTENT_ROUTE'],
    ['one process alone tells of a lost request', 'WITHOUT_ONE_TELLER', 'told'],
  ] as const)('needs this guard: %s', async (_guard, define, property, ...bounds) => {
    const { violated } = await search(model, [
      define,
      ...(define === 'WITHOUT_ONE_TELLER' ? [] : ['HOUSEKEEPERS=0']),
      ...(property === 'none' ? [] : ['NOT_TOLD', 'CANCELLERS=0']),
      ...bounds,
    ])
    expect([properties[property]].flat().some((harm) => violated?.includes(harm))).toBe(true)
  })

  it('needs every service to go from the window to the claim in less time than a nonce is kept', async () => {
    const { violated } = await search(model, ['STANDS_STILL', 'HOUSEKEEPERS=0', 'CANCELLERS=0'])
    expect(violated).toContain(properties.once)
  })
})
