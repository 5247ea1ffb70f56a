import { randomBytes } from 'node:crypto'
import { readConfig } from '../../config/config.ts'
import type { NewEvent } from '../../events/event.ts'
import { newEvent } from '../../events/event.ts'
import { createOutbox } from '../../events/outbox.ts'
import { createSecretWrapper } from '../../keys/wrapping.ts'
import { ProblemError } from '../../problems/problem-error.ts'
import { CommandFailed, defineCommand, UsageError } from '../command.ts'
import { assertUser, currentTime, withDatabase } from '../database.ts'
import { userArgument } from '../option-values.ts'

export const push = defineCommand({
  name: 'push',
  summary: 'send an event to a user',
  arguments: { user: userArgument },
  options: {
    data: {
      type: 'string',
      short: 'd',
      value: 'EVENT',
      help: 'required: JSON such as {"type": "maintenance", "data": {"from": "22:00"}}',
    },
    id: { type: 'string', value: 'ID', help: 'event id; an event with a known id is not stored again' },
  },
  notes: `
Stores the event and prints its number. Subscribed devices receive it at once, other devices when they next connect.
`,
  environment: ['MINISEAL_DATABASE', 'MINISEAL_MASTER_KEY', 'MINISEAL_EVENT_DAYS'],
  async run({ user, data, id }, terminal) {
    if (data === undefined) throw new UsageError(`--data is required: -d '{"type": …, "data": {…}}'`)
    const event = parseEvent(data)
    const { masterKeys, eventDays } = readConfig(terminal.environment)
    return await withDatabase(terminal, async (store) => {
      await assertUser(store, user)
      const outbox = createOutbox({
        store,
        wrapper: createSecretWrapper(masterKeys),
        days: eventDays,
        now: currentTime,
        random: (length) => new Uint8Array(randomBytes(length)),
      })
      const { sequence, isNew } = await outbox.push(user, event, id === undefined ? {} : { id }).catch(fail)
      terminal.out(isNew ? `event ${sequence}\n` : `event ${sequence}, already stored\n`)
      return 0
    })
  },
})

function parseEvent(text: string): NewEvent {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new UsageError('--data must be JSON')
  }
  const event = newEvent.safeParse(value)
  if (!event.success)
    throw new UsageError('--data must be {"type": lower-case name, "data": object} without other members')
  return event.data
}

function fail(error: unknown): never {
  throw error instanceof ProblemError ? new CommandFailed(error.message) : error
}
