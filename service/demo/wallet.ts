/** The demo wallet: the first backend behind the channel, an ordinary Hono app. Development only. */
import type { Context } from 'hono'
import { Hono } from 'hono'
import { z } from 'zod'
import { ProtocolError } from '../../crypto/errors.ts'
import type { InnerApp, InnerVariables } from '../backends/mounted.ts'
import { StepUpNeeded } from '../backends/step-up.ts'
import type { Ledger } from './ledger.ts'

/** One transfer moves at most 50,000.00 CNY. */
const maxAmount = 5_000_000

/** Above 1,000.00 CNY a transfer is confirmed by finger or face. */
const maxWithoutStepUp = 100_000

const yuan = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2 })

const orderShape = z.strictObject({
  payee: z.string().regex(/^[A-Za-z0-9_.@-]{1,64}$/),
  amount: z.number().int().min(1).max(maxAmount),
  currency: z.literal('CNY'),
  note: z.string().min(1).max(140).optional(),
})

/** @param now UNIX seconds */
export function createWallet(ledger: Ledger, now: () => number): InnerApp {
  const app = new Hono<{ Variables: InnerVariables }>()
  app.get('/wallet', (c) => {
    const { user } = c.var.caller
    return c.json({ user, balance: ledger.balance(user), currency: 'CNY' })
  })
  app.get('/wallet/transfers', (c) => {
    const transfers = ledger.transfers(c.var.caller.user)
    return c.json({
      transfers: transfers.map((transfer) => ({ ...transfer, currency: 'CNY', status: 'done' })),
    })
  })
  app.post('/wallet/transfers', async (c) => {
    const { payee, amount, note } = await readOrder(c)
    const { user, acr } = c.var.caller
    if (payee === user) throw new ProtocolError('payload_invalid', 'payer and payee are the same')
    if (amount > maxWithoutStepUp && acr !== 'soter') {
      const balance = ledger.balance(user)
      // Nobody is asked for a finger for what cannot be done; and what was not confirmed is not tried.
      if (balance < amount) return c.json({ error: 'insufficient_funds', balance }, 422)
      throw new StepUpNeeded(`向 ${payee} 转账 ${yuan.format(amount / 100)} 元`)
    }
    const key = c.req.header('idempotency-key') ?? ''
    const result = ledger.transfer({ user, key, payee, amount, note: note ?? null, now: now() })
    switch (result.kind) {
      case 'done':
        return c.json({ ...result.transfer, currency: 'CNY', status: 'done' }, 201)
      case 'insufficient-funds':
        return c.json({ error: 'insufficient_funds', balance: result.balance }, 422)
      case 'key-used-otherwise':
        throw new ProtocolError('idempotency_mismatch', 'the Idempotency-Key was used for another transfer')
    }
  })
  return app
}

async function readOrder(c: Context): Promise<z.infer<typeof orderShape>> {
  const value: unknown = await c.req.json().catch(() => undefined)
  const parsed = orderShape.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ProtocolError(
    'payload_invalid',
    'a transfer is {"payee": text, "amount": integer fen, "currency": "CNY", "note"?: text}',
  )
}
