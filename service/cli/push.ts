/** `miniseal push`: an operator sends an event to a user. */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { ProtocolError } from 'miniseal-protocol/errors'
import { readConfig } from '../config/config.ts'
import type { NewEvent } from '../events/event.ts'
import { newEvent } from '../events/event.ts'
import { createOutbox } from '../events/outbox.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import type { Command } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import { assertUser, withDatabase } from './database.ts'

const usage = `usage: miniseal push USER -d EVENT [--id ID]

Stores an event for a user. Devices that have subscribed get it at once, others when they come. Prints its number.

EVENT is JSON: {"type": "maintenance", "data": {"from": "22:00"}}. With --id a repetition is stored once.
USER is the pseudonym that backends see (u_…). Needs the variables of the service, the database and the master key above
all; run it where the service runs.
`

export const push: Command = {
  summary: 'send an event to a user',
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { data: { type: 'string', short: 'd' }, id: { type: 'string' } },
      allowPositionals: true,
      strict: true,
    })
    const [user, ...more] = positionals
    if (user === undefined || more.length > 0) throw new UsageError('push takes a user')
    if (values.data === undefined)
      throw new UsageError('push takes an event: -d \'{"type": …, "data": {…}}\'')
    const event = readEvent(values.data)
    const { masterKeys, eventDays } = readConfig(terminal.environment)
    return await withDatabase(terminal, async (store) => {
      await assertUser(store, user)
      const outbox = createOutbox({
        store,
        wrapper: createSecretWrapper(masterKeys),
        days: eventDays,
        now: () => Math.floor(Date.now() / 1000),
        random: (length) => new Uint8Array(randomBytes(length)),
      })
      const options = values.id === undefined ? {} : { id: values.id }
      const { sequence, isNew } = await outbox.push(user, event, options).catch(explain)
      terminal.out(isNew ? `event ${sequence}\n` : `event ${sequence}, stored before\n`)
      return 0
    })
  },
}

function readEvent(text: string): NewEvent {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new UsageError('the event is not JSON')
  }
  const event = newEvent.safeParse(value)
  if (!event.success)
    throw new UsageError('an event is {"type": lower-case name, "data": object} and nothing else')
  return event.data
}

function explain(error: unknown): never {
  throw error instanceof ProtocolError ? new CommandFailed(error.message) : error
}
