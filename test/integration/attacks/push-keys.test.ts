/** A malicious push key, against other push keys and the service's own events. */
import { expect, it } from 'vitest'
import { push as pushCommand } from '../../../service/cli/commands/push.ts'
import { reservedTypes } from '../../../service/events/event.ts'
import { runCommand } from '../../support/command.ts'
import { sharedService, sharedSession } from '../../support/hooks.ts'
import { newBackend, type PushParts, signedPush } from '../../support/push-request.ts'

const [orders, support] = [newBackend('orders'), newBackend('support')]

const service = sharedService({
  environment: { MINISEAL_PUSH_KEYS: `${orders.entry},${support.entry}` },
})
const session = sharedSession(service)

const eventOf = (type: string, data: object) => ({ user: session.user, type, data })

async function push(backend: typeof orders, parts: PushParts) {
  const { headers, body } = signedPush(backend, service.origin, parts)
  const response = await fetch(`${service.url}/push`, { method: 'POST', headers, body })
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever members they expect
  return { status: response.status, json: (await response.json()) as any }
}

const typesOf = async (): Promise<readonly string[]> => {
  const { events } = (await session.send({ path: '/events' })).json
  return events.map(({ type }: { type: string }) => type)
}

it('a push key cannot suppress or probe an event of another key by its id', async () => {
  const guessed = await push(support, { event: eventOf('nothing', {}), id: 'order-1/paid' })
  expect(guessed.status).toBe(201)
  const real = await push(orders, { event: eventOf('order-paid', { n: 1 }), id: 'order-1/paid' })
  expect(real.status).toBe(201)
  // The mounted app and the operator have ids of their own, too.
  const own = await service.push(session.user, { type: 'own', data: {} }, { id: 'order-1/paid' })
  expect(own.isNew).toBe(true)
  expect(await typesOf()).toEqual(['nothing', 'order-paid', 'own'])
  // Each is still one event for its own key.
  const again = await push(orders, { event: eventOf('order-paid', { n: 1 }), id: 'order-1/paid' })
  expect(again).toMatchObject({ status: 200, json: { sequence: real.json.sequence } })
})

it.each([...reservedTypes])('a push key cannot send the reserved event type %s', async (type) => {
  const before = await typesOf()
  const device = 'x'.repeat(43)
  expect(await push(orders, { event: eventOf(type, { device }) })).toMatchObject({
    status: 400,
    json: { code: 'payload_invalid' },
  })
  await expect(service.push(session.user, { type, data: { device } })).rejects.toMatchObject({
    code: 'payload_invalid',
  })
  const command = ['-d', JSON.stringify({ type, data: { device } }), session.user]
  await expect(runCommand(pushCommand, command, service.environment)).rejects.toThrow(
    /reserved for the service/,
  )
  expect(await typesOf()).toEqual(before)
})
