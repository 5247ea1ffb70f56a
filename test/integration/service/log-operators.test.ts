/** The log records what operators do from a terminal, and refusals in bulk. */
import { expect, it } from 'vitest'
import type { Command } from '../../../service/cli/command.ts'
import { devices } from '../../../service/cli/commands/devices.ts'
import { keys } from '../../../service/cli/commands/keys.ts'
import { sessions } from '../../../service/cli/commands/sessions.ts'
import { runCommand } from '../../support/command.ts'
import { sharedService } from '../../support/hooks.ts'
import { logIn, post, random } from '../../support/raw-client.ts'
import { ofKind, readLog, withStore } from '../../support/read-log.ts'

const service = sharedService()

async function run(
  command: Pick<Command, 'run'>,
  args: readonly string[],
  environment = service.environment,
): Promise<number> {
  return (await runCommand(command, args, environment)).code
}

const ends = async () => ofKind(await readLog(service.environment), 'session-ended')

it('the log records sessions that an operator ended, with the user and the operator', async () => {
  const session = await logIn(service)
  expect(await run(sessions, ['revoke', session.user, '--all'])).toBe(0)
  const [end] = await ends()
  expect(end?.leaf.facts).toEqual({ by: 'operator', reason: 'revoked', scope: 'other-sessions' })
  expect(end?.groups).toEqual({ sub: { user: session.user } })
  expect((await session.send({ path: '/wallet' })).json.code).toBe('session_ended')
})

it('the log records devices that an operator revoked, each once', async () => {
  const session = await logIn(service)
  const { keyid } = session.device.signer
  const before = (await ends()).length
  await run(devices, ['revoke', session.user, keyid])
  await run(devices, ['revoke', session.user, keyid])
  await run(devices, ['revoke', session.user, '--all'])
  const entries = (await ends()).slice(before)
  expect(entries.map(({ leaf }) => leaf.facts)).toEqual([
    { by: 'operator', reason: 'device-revoked', scope: 'device' },
    { by: 'operator', reason: 'device-revoked', scope: 'other-devices' },
  ])
  expect(entries[0]?.groups).toEqual({ sub: { device: keyid, user: session.user } })
})

it('without a master key the log records that sessions were ended but not whose', async () => {
  const session = await logIn(service)
  const before = (await ends()).length
  const { MINISEAL_DATABASE = '' } = service.environment
  await run(sessions, ['revoke', session.user, '--all'], {
    MINISEAL_DATABASE,
    MINISEAL_DATA: '/nonexistent',
    NODE_ENV: 'production',
  })
  const [end] = (await ends()).slice(before)
  expect(end?.leaf.facts).toEqual({ by: 'operator', reason: 'revoked', scope: 'other-sessions' })
  expect(end?.row).toMatchObject({ userBlindIndex: null, detail: null })
  expect((await session.send({ path: '/wallet' })).json.code).toBe('session_ended')
})

it('the log records when a key was made and when the old one ends', async () => {
  expect(await run(keys, ['rotate', 'token'])).toBe(0)
  const changes = ofKind(await readLog(service.environment), 'key-rotated')
    .map(({ leaf }) => leaf.facts)
    // Both may be of one millisecond, and then stand in any order.
    .sort((one, other) => (`${one?.change}` < `${other?.change}` ? -1 : 1))
  expect(changes).toMatchObject([
    { change: 'ends', key: 'token', kid: expect.any(String), not_after: expect.any(Number) },
    { change: 'made', key: 'token', kid: expect.any(String), not_before: expect.any(Number) },
  ])
  expect(changes[0]?.kid).not.toBe(changes[1]?.kid)
})

it('the service logs a flood of refusals individually up to a limit, and counts the others by code', async () => {
  const count = 120
  for (let i = 0; i < count; i += 20) {
    await Promise.all(Array.from({ length: 20 }, () => post(service, random(64))))
  }
  const singly = ofKind(await readLog(service.environment), 'refused').length
  expect(singly).toBeLessThanOrEqual(30)
  await service.stop()
  const leaves = await readLog(service.environment)
  const [aggregate, ...more] = ofKind(leaves, 'refused-aggregate')
  expect(more).toEqual([])
  expect(aggregate?.leaf).toMatchObject({ result: 'refused', facts: { code: 'malformed_frame' } })
  const malformed = ofKind(leaves, 'refused').filter(({ row }) => row.code === 'malformed_frame').length
  expect(Number(aggregate?.leaf.facts?.n) + malformed).toBe(count)
  // All of it has its place when the service has stopped.
  expect(await withStore(service.environment, (store) => store.hasPending())).toBe(false)
})
