/** The demo backend: a wallet and a chat. Development only. */
import { Hono } from 'hono'
import type { InnerApp, InnerVariables } from '../gateway/backend.ts'
import { createChat } from './chat.ts'
import type { DemoDatabase } from './database.ts'
import type { Push } from './push.ts'
import { createWallet } from './wallet.ts'

export interface DemoParts extends Omit<DemoDatabase, 'close'> {
  readonly push: Push
  /** UNIX seconds. */
  readonly now: () => number
}

export function createDemo(parts: DemoParts): InnerApp {
  const app = new Hono<{ Variables: InnerVariables }>()
  app.route('/', createWallet(parts))
  app.route('/', createChat(parts))
  return app
}
