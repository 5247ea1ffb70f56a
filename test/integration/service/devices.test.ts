/** A user's devices and sessions: listed, named, ended and revoked, by the user over the channel and by the operator. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { encodeBase64Url } from '../../../crypto/text.ts'
import { type Command, CommandFailed } from '../../../service/cli/command.ts'
import { devices } from '../../../service/cli/commands/devices.ts'
import { sessions } from '../../../service/cli/commands/sessions.ts'
import { ConfigError } from '../../../service/config/environment.ts'
import { runCommand } from '../../support/command.ts'
import { ownService, sharedService } from '../../support/hooks.ts'
import type { RawSession, ReceivedReply } from '../../support/raw-client.ts'
import { logIn, newDevice, prepareLogin, random, send } from '../../support/raw-client.ts'
import { runMiniseal } from '../../support/service-process.ts'

const service = sharedService({ environment: { MINISEAL_MAX_DEVICES: '4' } })

const newOpenid = (): string => `openid-${encodeBase64Url(random(9))}`

/** A session of a new user, or of `openid`, on a new device. */
const someone = (openid = newOpenid()): Promise<RawSession> => logIn(service, { openid })

/** Two sessions of one user on two devices. */
async function twoDevices(openid = newOpenid()): Promise<readonly [RawSession, RawSession]> {
  return [await someone(openid), await someone(openid)]
}

const idOf = (session: RawSession): string => session.device.signer.keyid
const listed = async (session: RawSession) => (await session.send({ path: '/devices' })).json.devices
const listedIds = async (session: RawSession): Promise<string[]> =>
  (await listed(session)).map(({ id }: { id: string }) => id)

/** The end reasons of a device's sessions in the database: an open session is refused only because of its device. */
function endsOf(session: RawSession): (string | null)[] {
  const path = service.environment.MINISEAL_DATABASE?.slice('sqlite:'.length) ?? ''
  const database = new Database(path, { readonly: true })
  const select = 'select end_reason as why from sessions where device_id = ?'
  const rows = database.prepare<[string], { why: string | null }>(select).all(idOf(session))
  database.close()
  return rows.map(({ why }) => why)
}

function expectRefused(received: ReceivedReply, code: string, status: number): void {
  expect(received).toMatchObject({ kind: 'sealed', status, json: { code } })
}

it("GET /devices lists the user's own devices, newest first, with the current one marked", async () => {
  const openid = newOpenid()
  const phone = await someone(openid)
  await someone()
  service.advanceClock(60)
  const tablet = await logIn(service, { openid })
  service.advanceClock(60)
  const before = service.now()
  const { status, fields, json } = await tablet.send({ path: '/devices' })
  expect([status, fields]).toEqual([200, expect.arrayContaining([['cache-control', 'no-store']])])
  expect(json.devices.map(({ id, current }: { id: string; current: boolean }) => [id, current])).toEqual([
    [idOf(tablet), true],
    [idOf(phone), false],
  ])
  const [first] = json.devices
  expect(Object.keys(first)).toEqual(['id', 'current', 'name', 'platform', 'created_at', 'last_seen_at'])
  expect(first).toMatchObject({ name: null, platform: 'test' })
  // Updated by this request, not only by the login.
  expect(first.last_seen_at).toBeGreaterThanOrEqual(before)
  expect(first.created_at).toBeLessThanOrEqual(before - 60)
  expect(json.devices[1].last_seen_at).toBeLessThanOrEqual(before - 120)
})

const naming = (id: string, name: unknown) => ({ method: 'PUT', path: `/devices/${id}`, body: { name } })

it('PUT /devices/{id} names a device of the user, and the list of sessions shows the name', async () => {
  const [first, second] = await twoDevices()

  expect(await first.send(naming(idOf(second), '妈妈的手机 👨‍👩‍👧'))).toMatchObject({
    kind: 'sealed',
    status: 204,
  })
  expect((await first.send(naming(idOf(first), 'x'.repeat(40)))).status).toBe(204)
  const names = (await listed(first)).map(({ name }: { name: string }) => name)
  expect(names.sort()).toEqual(['x'.repeat(40), '妈妈的手机 👨‍👩‍👧'].sort())
  const { device: shown } = (await second.send({ path: '/sessions/current' })).json
  expect(shown).toMatchObject({ id: idOf(second), name: '妈妈的手机 👨‍👩‍👧' })
})

it.each([
  ['empty', ''],
  ['of spaces', '   '],
  ['of 41 characters', 'x'.repeat(41)],
  ['with a control character', 'a\u0007b'],
  ['with a line end', 'a\nb'],
  ['with U+0000', 'a\u0000b'],
  ['with half a character', 'a\ud83d'],
  ['that turns the text around it', 'a\u202eb'],
  ['that is no text', 7],
])('a device name %s is payload_invalid', async (_title, name) => {
  const session = await someone()
  expectRefused(await session.send(naming(idOf(session), name)), 'payload_invalid', 400)
  expect((await listed(session))[0].name).toBeNull()
})

it("naming another user's device is not_found, as for an unknown one", async () => {
  const mine = await someone()
  const theirs = await someone()
  expectRefused(await mine.send(naming(idOf(theirs), 'mine')), 'not_found', 404)
  expect((await listed(theirs))[0].name).toBeNull()
})

const revoking = (id: string) => ({ method: 'DELETE', path: `/devices/${id}` })

it('after a device is revoked its next request and login are key_revoked and its sessions have ended', async () => {
  const openid = newOpenid()
  const [phone, stolen] = await twoDevices(openid)
  const again = await logIn(service, { openid, device: stolen.device })
  expect((await phone.send(revoking(idOf(again)))).status).toBe(204)
  expectRefused(await stolen.send(), 'key_revoked', 401)
  // The key is checked before the token.
  expectRefused(await stolen.send({ token: undefined }), 'key_revoked', 401)
  expect(endsOf(stolen)).toEqual(['device-revoked', 'device-revoked'])
  expectRefused(await again.send({ method: 'POST', path: '/sessions/current/token' }), 'key_revoked', 401)
  const prepared = await prepareLogin(service, { openid, device: again.device })
  expectRefused(await send(service, prepared), 'key_revoked', 401)
  expect(await listedIds(phone)).toEqual([idOf(phone)])
  expect((await phone.send({ path: '/sessions' })).json.sessions).toHaveLength(1)
})

it('revoking the current device is answered before it takes effect', async () => {
  const session = await someone()
  expect(await session.send(revoking(idOf(session)))).toMatchObject({ kind: 'sealed', status: 204 })
  expectRefused(await session.send(), 'key_revoked', 401)
})

it("revoking another user's device, a revoked one or an unknown one is not_found", async () => {
  const [mine, second] = await twoDevices()
  const theirs = await someone()
  expectRefused(await mine.send(revoking(idOf(theirs))), 'not_found', 404)
  expect((await theirs.send()).status).toBe(200)
  expect((await mine.send(revoking(idOf(second)))).status).toBe(204)
  expectRefused(await mine.send(revoking(idOf(second))), 'not_found', 404)
  expectRefused(await mine.send(revoking('x'.repeat(43))), 'not_found', 404)
  expectRefused(await mine.send(revoking('x')), 'not_found', 404)
})

it('a repeated revocation with its Idempotency-Key is replayed', async () => {
  const [first, second] = await twoDevices()
  const parts = { ...revoking(idOf(second)), key: 'once' }
  expect((await first.send(parts)).status).toBe(204)
  const again = await first.send(parts)
  expect([again.status, again.fields]).toEqual([
    204,
    expect.arrayContaining([['idempotency-replayed', 'true']]),
  ])
})

it('DELETE /devices revokes all other devices and keeps the current one', async () => {
  const stranger = await someone()
  const openid = newOpenid()
  const [first, second] = await twoDevices(openid)
  const third = await someone(openid)
  const received = await first.send({ method: 'DELETE', path: '/devices' })
  expect([received.status, received.json]).toEqual([200, { revoked: 2 }])
  for (const other of [second, third]) {
    expectRefused(await other.send(), 'key_revoked', 401)
    expect(endsOf(other)).toEqual(['device-revoked'])
  }
  expect((await first.send()).status).toBe(200)
  expect((await stranger.send()).status).toBe(200)
  expect((await first.send({ method: 'DELETE', path: '/devices' })).json).toEqual({ revoked: 0 })
})

it('DELETE /sessions ends all other sessions, also of the same device, and keeps the devices', async () => {
  const openid = newOpenid()
  const [phone, tablet] = await twoDevices(openid)
  const stranger = await someone()
  const current = await logIn(service, { openid, device: phone.device })
  const received = await current.send({ method: 'DELETE', path: '/sessions' })
  expect([received.status, received.json]).toEqual([200, { ended: 2 }])
  expectRefused(await phone.send(), 'session_ended', 401)
  expectRefused(await tablet.send(), 'session_ended', 401)
  expect((await current.send()).status).toBe(200)
  expect((await stranger.send()).status).toBe(200)
  expect(await logIn(service, { openid, device: tablet.device })).toBeDefined()
  expect(await listedIds(current)).toHaveLength(2)
})

it('a new device over the limit is device_key_refused with the reason', async () => {
  const openid = newOpenid()
  const [first] = await twoDevices(openid)
  const [third] = await twoDevices(openid)
  const received = await send(service, await prepareLogin(service, { openid }))
  expectRefused(received, 'device_key_refused', 400)
  expect(received.json.detail).toContain('revoke a device first')
  expect(await listedIds(first)).toHaveLength(4)
  expect(await logIn(service, { openid, device: first.device })).toBeDefined()
  await first.send({ method: 'DELETE', path: `/devices/${idOf(third)}` })
  expect(await logIn(service, { openid })).toBeDefined()
})

it('the limit of devices holds for simultaneous logins', async () => {
  const openid = newOpenid()
  const prepared = await Promise.all(
    Array.from({ length: 10 }, () => prepareLogin(service, { openid, device: newDevice() })),
  )
  const received = await Promise.all(prepared.map((one) => send(service, one)))
  expect(received.filter(({ status }) => status === 201)).toHaveLength(4)
  expect(received.filter(({ json }) => json.code === 'device_key_refused')).toHaveLength(6)
})

it('a device that was unused for 90 days does not count towards the limit', async () => {
  const own = await ownService({ environment: { MINISEAL_MAX_DEVICES: '1' } })
  const openid = newOpenid()
  const first = await logIn(own, { openid })
  expectRefused(await send(own, await prepareLogin(own, { openid })), 'device_key_refused', 400)
  own.advanceClock(90 * 86_400 + 5)
  expect(await logIn(own, { openid })).toBeDefined()
  expect(await logIn(own, { openid, device: first.device })).toBeDefined()
})

describe('the operator', () => {
  /** Only the database: no key, no origin, no app. */
  const database = (): Record<string, string> => ({
    MINISEAL_DATABASE: service.environment.MINISEAL_DATABASE ?? '',
    MINISEAL_DATA: `${service.environment.MINISEAL_DATA}/nothing`,
  })

  /** Runs a command in this process, next to the running service. @returns its output */
  async function run(
    command: Pick<Command, 'run'>,
    args: readonly string[],
    environment = database(),
  ): Promise<string> {
    const { code, out } = await runCommand(command, args, environment)
    expect(code).toBe(0)
    return out
  }

  it('an operator lists the devices of a user and revokes one while the service runs', async () => {
    const openid = newOpenid()
    const phone = await someone(openid)
    let device = newDevice()
    // One in 64 thumbprints looks like an option.
    while (!device.signer.keyid.startsWith('-')) device = newDevice()
    const stolen = await logIn(service, { openid, device })
    await phone.send({ method: 'PUT', path: `/devices/${idOf(stolen)}`, body: { name: 'lost in a taxi' } })
    const revoked = await runMiniseal(['devices', 'revoke', phone.user, idOf(stolen)], database()).finished
    expect(revoked).toMatchObject({ code: 0, err: '', out: expect.stringContaining('ended its sessions') })
    expectRefused(await stolen.send(), 'key_revoked', 401)
    expect(endsOf(stolen)).toEqual(['device-revoked'])
    expect((await phone.send()).status).toBe(200)
    const list = (await run(devices, ['list', phone.user])).trim().split('\n')
    expect(list).toHaveLength(2)
    const line = list.find((text) => text.startsWith(idOf(stolen)))
    expect(line).toMatch(/ {2}revoked {2}enrolled \d{4}-.* "test" "lost in a taxi"$/)
    expect(await run(devices, ['revoke', phone.user, idOf(stolen)])).toContain('already revoked')
  })

  it('an operator revokes all devices or ends all sessions of one user only', async () => {
    const stranger = await someone()
    const openid = newOpenid()
    const [first, second] = await twoDevices(openid)
    expect(await run(sessions, ['revoke', first.user, '--all'])).toBe('ended 2 sessions\n')
    for (const session of [first, second]) expectRefused(await session.send(), 'session_ended', 401)
    const back = await logIn(service, { openid, device: first.device })
    expect(await run(devices, ['revoke', first.user, '--all'])).toContain('revoked 2 devices')
    for (const session of [back, second]) expectRefused(await session.send(), 'key_revoked', 401)
    expect(endsOf(first).sort()).toEqual(['device-revoked', 'revoked'])
    expect((await stranger.send()).status).toBe(200)
  })

  it('an operator gets an error for an unknown user, device or database', async () => {
    const { user } = await someone()
    const theirs = await someone()
    const failed = (message: RegExp) => expect.objectContaining({ message: expect.stringMatching(message) })
    await expect(run(devices, ['list', 'u_nobody'])).rejects.toThrow(CommandFailed)
    for (const [command, args] of [
      [devices, ['list', 'u_nobody']],
      [devices, ['revoke', 'u_nobody', '--all']],
      [sessions, ['revoke', 'u_nobody', '--all']],
    ] as const) {
      await expect(run(command, args)).rejects.toEqual(failed(/no user "u_nobody".*pairwise subject/))
    }
    const other = run(devices, ['revoke', user, idOf(theirs)])
    await expect(other).rejects.toEqual(failed(new RegExp(`no device.*miniseal devices list ${user}`)))
    expect((await theirs.send()).status).toBe(200)
    const path = join(service.environment.MINISEAL_DATA ?? '', 'absent.db')
    const none = run(devices, ['list', user], { MINISEAL_DATABASE: `sqlite:${path}` })
    await expect(none).rejects.toEqual(failed(/no database at .*set MINISEAL_DATABASE/))
    expect(existsSync(path)).toBe(false)
    await expect(run(devices, ['list', user], { MINISEAL_DATABASE: 'mysql://x' })).rejects.toThrow(
      ConfigError,
    )
  })

  it.each([
    [devices, []],
    [devices, ['list']],
    [devices, ['list', 'u', 'x']],
    [devices, ['list', 'u', '--all']],
    [devices, ['revoke', 'u']],
    [devices, ['revoke', 'u', 'x', '--all']],
    [devices, ['revoke', 'u', 'x', 'y']],
    [devices, ['list', 'u', '--json']],
    [sessions, ['list', 'u']],
    [sessions, ['revoke', 'u']],
    [sessions, ['revoke', 'u', 'x', '--all']],
  ] as const)('a command with wrong arguments changes nothing: %#', async (command, args) => {
    const name = expect.stringMatching(/either|missing|unexpected|unknown option|unknown command|--all/)
    await expect(run(command, args)).rejects.toEqual(expect.objectContaining({ message: name }))
  })
})
