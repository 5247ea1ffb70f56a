/** A shop in one process with the service: handlers are ordinary Hono routes, and `c.var.caller` is the verified caller. */
import { Hono } from 'hono'
import { createService, ProblemError, stepUpRequired } from 'miniseal'

/** Prices in fen (0.01 CNY). */
const items = { tea: 1_250, cake: 3_800 }

/** Above 100.00 CNY the user confirms an order by fingerprint or face. */
const maxWithoutStepUp = 10_000

/** Orders by user; a real shop stores them with the idempotency key, in one transaction. */
const orders = new Map()

/** @type {import('miniseal').InnerApp} */
const app = new Hono()

app.get('/items', (c) => c.json({ items, currency: 'CNY' }))

app.get('/orders', (c) => c.json({ orders: orders.get(c.var.caller.user) ?? [] }))

app.post('/orders', async (c) => {
  const { item, count } = await c.req.json()
  if (!Object.hasOwn(items, item) || !Number.isInteger(count) || count < 1 || count > 100)
    throw new ProblemError('payload_invalid', 'an order is {"item": one of /items, "count": 1 to 100}')
  const { user, acr } = c.var.caller
  const amount = items[item] * count
  if (amount > maxWithoutStepUp && acr !== 'soter')
    throw stepUpRequired(`${(amount / 100).toFixed(2)} 元，购买 ${item}`)
  const order = { id: crypto.randomUUID(), item, count, amount }
  orders.set(user, [...(orders.get(user) ?? []), order])
  return c.json(order, 201)
})

const service = await createService({ app })
const options = `--origin ${service.origin} --root ${service.roots[0]} --appid wx0123456789abcdef --sandbox=${service.sandboxUrl}`
console.log(`The shop is open. In a second terminal:

npx miniseal call POST /orders -d '{"item":"tea","count":2}' ${options}
npx miniseal call GET /orders ${options}`)

process.once('SIGINT', () => service.stop())
process.once('SIGTERM', () => service.stop())
