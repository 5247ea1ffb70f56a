/** The demo wallet: an ordinary Hono app as the backend of the channel. */
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { Outbox } from '../events/outbox.ts'
import type { InnerApp, InnerVariables } from '../gateway/backend.ts'
import { stepUpRequired } from '../gateway/step-up.ts'
import { ProblemError } from '../problems/problem-error.ts'
import type { People } from './conversations.ts'
import type { Ledger, ReceivedTransfer, TransferResult } from './ledger.ts'

/** One transfer moves at most 50,000.00 CNY. */
const maxAmount = 5_000_000

/** Above 1,000.00 CNY a transfer requires step-up. */
const maxWithoutStepUp = 100_000

const currency = 'CNY'

const yuan = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2 })

const orderShape = z.strictObject({
  payee: z.string().regex(/^[\p{L}\p{N}_.@-]{1,64}$/u),
  amount: z.number().int().min(1).max(maxAmount),
  currency: z.literal(currency),
  note: z.string().min(1).max(140).optional(),
})

/** The form of a user's id. */
const userForm = /^u_[A-Za-z0-9_-]{24}$/

interface WalletDependencies {
  readonly ledger: Ledger
  readonly people: People
  readonly push: Outbox['push']
  /** UNIX seconds. */
  readonly now: () => number
}

export function createWallet({ ledger, people, push, now }: WalletDependencies): InnerApp {
  const app = new Hono<{ Variables: InnerVariables }>()
  app.get('/wallet', (c) => {
    const { user } = c.var.caller
    return c.json({ user, balance: ledger.balance(user), currency })
  })
  app.get('/wallet/transfers', (c) => {
    const transfers = ledger.transfers(c.var.caller.user)
    return c.json({ transfers: transfers.map((transfer) => ({ ...transfer, currency, status: 'done' })) })
  })
  app.get('/wallet/received', (c) => {
    const transfers = ledger.received(c.var.caller.user)
    return c.json({ transfers: transfers.map((transfer) => describe(people, transfer)) })
  })
  app.post('/wallet/transfers', async (c) => {
    const { payee, amount, note } = await readOrder(c)
    const { user, appid, acr } = c.var.caller
    const account = findAccount(people, appid, payee)
    if (account === user) throw new ProblemError('payload_invalid', 'payer and payee are the same')
    if (amount > maxWithoutStepUp && acr !== 'soter') {
      const balance = ledger.balance(user)
      // No step-up for a transfer that cannot succeed.
      if (balance < amount) return c.json({ error: 'insufficient_funds', balance }, 422)
      throw stepUpRequired(`${yuan.format(amount / 100)} 元，转账给 ${payee}`)
    }
    const key = c.req.header('idempotency-key') ?? ''
    const result = ledger.transfer({ user, key, payee, account, amount, note: note ?? null, now: now() })
    switch (result.kind) {
      case 'done':
        return c.json(await finish(people, push, result), 201)
      case 'insufficient-funds':
        return c.json({ error: 'insufficient_funds', balance: result.balance }, 422)
      case 'key-reused':
        throw new ProblemError('idempotency_mismatch', 'the Idempotency-Key was used for another transfer')
    }
  })
  return app
}

/** The account of a user id or of a chosen name; for any other payee an account of that name. */
function findAccount(people: People, app: string, payee: string): string {
  return userForm.test(payee) ? payee : (people.findUser(app, payee) ?? payee)
}

/** Notifies the payee, if it is a user, and returns the payer's answer. */
async function finish(
  people: People,
  push: Outbox['push'],
  { transfer, account, received }: Extract<TransferResult, { kind: 'done' }>,
): Promise<Record<string, unknown>> {
  const payee_user = account === transfer.payee && !userForm.test(account) ? null : account
  if (payee_user !== null) {
    const event = { type: 'transfer-received', data: describe(people, received) }
    // The transfer is done: without the event the payee sees it on the next visit.
    await push(payee_user, event, { id: `transfer/${transfer.id}` }).catch(() => undefined)
  }
  return { ...transfer, payee_user, currency, status: 'done' }
}

function describe(people: People, received: ReceivedTransfer): Record<string, unknown> {
  return { ...received, payer_name: people.findName(received.payer), currency }
}

async function readOrder(c: Context): Promise<z.infer<typeof orderShape>> {
  const value: unknown = await c.req.json().catch(() => undefined)
  const parsed = orderShape.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ProblemError(
    'payload_invalid',
    'a transfer is {"payee": text, "amount": integer fen, "currency": "CNY", "note"?: text}',
  )
}
