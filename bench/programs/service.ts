/** Miniseal as the installed package, in production, with a backend in the same process. */
import { Hono } from 'hono'
import type { InnerVariables } from 'miniseal'
import { createService } from 'miniseal'
import { transferResponse, wallet } from '../transfer-handler.ts'
import { serveCalls } from './calls.ts'

const app = new Hono<{ Variables: InnerVariables }>()
app.post('/transfers', async (c) => c.json(transferResponse(await c.req.json())))
app.get('/wallet', (c) => c.json(wallet))

const service = await createService({ app })

export const serviceCalls = {
  where: async () => ({ port: Number(new URL(service.url).port), roots: service.roots }),
}

export type ServiceCalls = typeof serviceCalls

serveCalls(serviceCalls, () => service.stop())
