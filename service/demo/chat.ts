/** The demo chat: users of one mini program send each other messages. */
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { Outbox } from '../events/outbox.ts'
import type { InnerApp, InnerVariables } from '../gateway/backend.ts'
import { ProblemError } from '../problems/problem-error.ts'
import { type Conversations, isName, type PageCursor, type People } from './conversations.ts'

const profileShape = z.strictObject({ name: z.string().refine(isName) })

const messageShape = z.strictObject({ to: z.string().min(1).max(128), text: z.string().min(1).max(1_000) })

const position = /^(0|[1-9][0-9]{0,14})$/

interface ChatDependencies {
  readonly people: People
  readonly conversations: Conversations
  readonly push: Outbox['push']
  /** UNIX seconds. */
  readonly now: () => number
}

export function createChat({ people, conversations, push, now }: ChatDependencies): InnerApp {
  const app = new Hono<{ Variables: InnerVariables }>()
  app.get('/chat/profile', (c) => {
    const { user } = c.var.caller
    return c.json({ user, name: people.findName(user) })
  })
  app.put('/chat/profile', async (c) => {
    const { user, appid } = c.var.caller
    const { name } = await readBody(c, profileShape, 'a profile is {"name": 1 to 20 letters, digits, _ . -}')
    if (!people.setName(appid, user, name)) return c.json({ error: 'name_taken' }, 409)
    return c.json({ user, name })
  })
  app.get('/chat/contacts', (c) => {
    const { user, appid } = c.var.caller
    return c.json({ contacts: conversations.contacts(appid, user) })
  })
  app.post('/chat/messages', async (c) => {
    const { user, appid } = c.var.caller
    const { to, text } = await readBody(
      c,
      messageShape,
      'a message is {"to": user, "text": 1 to 1000 characters}',
    )
    const name = people.findName(user)
    if (name === null) return c.json({ error: 'name_needed' }, 409)
    if (to === user || !isContact(people, appid, to)) return c.json({ error: 'no_such_contact' }, 404)
    const key = c.req.header('idempotency-key') ?? ''
    const message = conversations.write({ from: user, key, to, text, now: now() })
    if (message === undefined)
      throw new ProblemError('idempotency_mismatch', 'the Idempotency-Key was used for another message')
    const event = { type: 'chat-message', data: { ...message, from_name: name } }
    // The message is stored: without the event the receiver sees it on the next visit.
    await push(to, event, { id: `chat/${message.id}` }).catch(() => undefined)
    return c.json(message, 201)
  })
  app.get('/chat/messages', (c) => {
    const { user } = c.var.caller
    const other = c.req.query('with')
    if (other === undefined) throw new ProblemError('payload_invalid', 'the query takes with=user')
    return c.json(conversations.page(user, other, readCursor(c)))
  })
  return app
}

/** Whether the user has chosen a name in this mini program. */
function isContact(people: People, app: string, user: string): boolean {
  const name = people.findName(user)
  return name !== null && people.findUser(app, name) === user
}

function readCursor(c: Context): PageCursor {
  const after = c.req.query('after')
  const before = c.req.query('before')
  if (after !== undefined && before !== undefined)
    throw new ProblemError('payload_invalid', 'the query takes after or before, not both')
  for (const text of [after, before]) {
    if (text !== undefined && !position.test(text))
      throw new ProblemError('payload_invalid', 'after and before are positions')
  }
  if (after !== undefined) return { after: Number(after) }
  return before === undefined ? {} : { before: Number(before) }
}

async function readBody<T>(c: Context, shape: z.ZodType<T>, expected: string): Promise<T> {
  const value: unknown = await c.req.json().catch(() => undefined)
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ProblemError('payload_invalid', expected)
}
