/** The demo chat and wallet: messages and transfers between two users. */
import { expect, it } from 'vitest'
import { sharedService, sharedSession } from '../../support/hooks.ts'
import { logIn, type RawSession, type RequestParts } from '../../support/raw-client.ts'
import { eventJson, openSocket, type RawSocket } from '../../support/raw-socket.ts'
import { until } from '../../support/until.ts'

const service = sharedService()
const ming = sharedSession(service, { openid: 'ming' })
const hong = sharedSession(service, { openid: 'hong' })
const nameless = sharedSession(service, { openid: 'nameless' })

async function ask(
  session: RawSession,
  method: string,
  path: string,
  body?: unknown,
  more: RequestParts = {},
) {
  return await session.send({ method, path, ...(body === undefined ? {} : { body }), ...more })
}

function write(from: RawSession, to: string, text: string, more: RequestParts = {}) {
  return ask(from, 'POST', '/chat/messages', { to, text }, more)
}

async function listening(session: RawSession): Promise<RawSocket> {
  const socket = await openSocket(service)
  await socket.subscribe(session, (await ask(session, 'GET', '/events?limit=1')).json.last)
  return socket
}

it('the chat gives each user a unique name of their choice', async () => {
  expect((await ask(ming, 'GET', '/chat/profile')).json).toEqual({ user: ming.user, name: null })
  expect((await ask(ming, 'PUT', '/chat/profile', { name: '小明' })).json).toEqual({
    user: ming.user,
    name: '小明',
  })
  const taken = await ask(hong, 'PUT', '/chat/profile', { name: '小明' })
  expect([taken.status, taken.json]).toEqual([409, { error: 'name_taken' }])
  expect((await ask(hong, 'PUT', '/chat/profile', { name: '小丽' })).status).toBe(200)
  expect((await ask(hong, 'PUT', '/chat/profile', { name: '小红' })).status).toBe(200)
  expect((await ask(hong, 'GET', '/chat/profile')).json.name).toBe('小红')
})

it.each(['', 'a b', 'x'.repeat(21), `u_${'a'.repeat(10)}`, 'a\u0000', 'e\u0301', '小\u202e明', 5])(
  'the chat refuses the name %j: payload_invalid',
  async (name) => {
    const reply = await ask(nameless, 'PUT', '/chat/profile', { name })
    expect(reply).toMatchObject({ status: 400, json: { code: 'payload_invalid' } })
  },
)

it('a message is delivered at once and stored for both users', async () => {
  const socket = await listening(hong)
  const sent = await write(ming, hong.user, '你好，请问有货吗？')
  expect(sent.status).toBe(201)
  expect(sent.json).toEqual({
    id: sent.json.id,
    position: sent.json.position,
    from: ming.user,
    to: hong.user,
    text: '你好，请问有货吗？',
    created_at: sent.json.created_at,
  })
  await until(() => socket.events.length === 1)
  expect(socket.events.map(eventJson)).toMatchObject([
    { type: 'chat-message', data: { ...sent.json, from_name: '小明' } },
  ])
  const answer = await write(hong, ming.user, '有的')
  for (const [one, other] of [
    [ming, hong],
    [hong, ming],
  ] as const) {
    const { json } = await ask(one, 'GET', `/chat/messages?with=${other.user}`)
    expect(json).toEqual({ messages: [sent.json, answer.json], more: false })
  }
  expect((await ask(nameless, 'GET', `/chat/messages?with=${hong.user}`)).json.messages).toEqual([])
})

it('the contacts list the latest conversation first', async () => {
  expect((await ask(ming, 'GET', '/chat/contacts')).json.contacts).toMatchObject([
    { user: hong.user, name: '小红', last_message: { text: '有的' } },
  ])
  const bao = await logIn(service, { openid: 'bao' })
  await ask(bao, 'PUT', '/chat/profile', { name: '阿宝' })
  const names = async () => {
    const { contacts } = (await ask(ming, 'GET', '/chat/contacts')).json
    return contacts.map(({ name }: { name: string }) => name)
  }
  expect(await names()).toEqual(['小红', '阿宝'])
  await write(bao, ming.user, '在吗')
  expect(await names()).toEqual(['阿宝', '小红'])
})

it('a repeated message is sent once', async () => {
  const socket = await listening(hong)
  const first = await write(ming, hong.user, '一次', { key: 'only once' })
  const again = await write(ming, hong.user, '一次', { key: 'only once' })
  expect(again.json).toEqual(first.json)
  await write(ming, hong.user, '第二')
  await until(() => socket.events.length >= 2)
  expect(socket.events.map((event) => eventJson(event).data.text)).toEqual(['一次', '第二'])
})

it('messages to unknown users, to oneself, without a name or of another form are refused', async () => {
  expect(await write(ming, 'u_nobody', 'x')).toMatchObject({
    status: 404,
    json: { error: 'no_such_contact' },
  })
  expect(await write(ming, nameless.user, 'x')).toMatchObject({ status: 404 })
  expect(await write(ming, ming.user, 'x')).toMatchObject({ status: 404 })
  expect(await write(nameless, hong.user, 'x')).toMatchObject({ status: 409, json: { error: 'name_needed' } })
  for (const text of ['', 'x'.repeat(1_001)]) {
    expect(await write(ming, hong.user, text)).toMatchObject({
      status: 400,
      json: { code: 'payload_invalid' },
    })
  }
})

it('a long conversation is listed in pages, forwards and backwards', async () => {
  const kim = await logIn(service, { openid: 'kim' })
  await ask(kim, 'PUT', '/chat/profile', { name: 'kim' })
  for (let n = 1; n <= 120; n++) await write(kim, ming.user, `n${n}`)
  const page = async (query: string) =>
    (await ask(ming, 'GET', `/chat/messages?with=${kim.user}${query}`)).json
  const texts = ({ messages }: { messages: { text: string }[] }) => messages.map(({ text }) => text)
  const newest = await page('')
  expect([texts(newest)[0], texts(newest)[99], newest.more]).toEqual(['n21', 'n120', true])
  const older = await page(`&before=${newest.messages[0].position}`)
  expect([texts(older)[0], texts(older).length, older.more]).toEqual(['n1', 20, false])
  const first = await page('&after=0')
  expect([texts(first)[0], first.more]).toEqual(['n1', true])
  const next = await page(`&after=${first.messages[99].position}`)
  expect([texts(next)[0], texts(next).length, next.more]).toEqual(['n101', 20, false])
  const both = await ask(ming, 'GET', `/chat/messages?with=${kim.user}&after=1&before=2`)
  expect(both).toMatchObject({ status: 400, json: { code: 'payload_invalid' } })
})

it('a transfer to a user, by name or by id, notifies the payee at once', async () => {
  const socket = await listening(hong)
  const before = (await ask(hong, 'GET', '/wallet')).json.balance
  const order = { amount: 1_250, currency: 'CNY', note: '茶' }
  const paid = await ask(ming, 'POST', '/wallet/transfers', { ...order, payee: '小红' }, { key: 'tea' })
  expect(paid).toMatchObject({ status: 201, json: { payee: '小红', payee_user: hong.user, amount: 1_250 } })
  await ask(ming, 'POST', '/wallet/transfers', { ...order, payee: hong.user })
  await ask(ming, 'POST', '/wallet/transfers', { ...order, payee: '小红' }, { key: 'tea' })
  await until(() => socket.events.length >= 2)
  expect((await ask(hong, 'GET', '/wallet')).json.balance).toBe(before + 2_500)
  const [event] = socket.events.map(eventJson)
  expect(event).toMatchObject({
    type: 'transfer-received',
    data: {
      id: paid.json.id,
      payer: ming.user,
      payer_name: '小明',
      amount: 1_250,
      currency: 'CNY',
      note: '茶',
      balance: before + 1_250,
    },
  })
  const { transfers } = (await ask(hong, 'GET', '/wallet/received')).json
  expect(transfers).toHaveLength(2)
  expect(transfers[1]).toEqual(event.data)
  expect(socket.events).toHaveLength(2)
})

it('a transfer to a payee who is no user is made without an event', async () => {
  const paid = await ask(ming, 'POST', '/wallet/transfers', { payee: 'bob', amount: 5, currency: 'CNY' })
  expect(paid).toMatchObject({ status: 201, json: { payee: 'bob', payee_user: null } })
  const nobody = `u_${'A'.repeat(24)}`
  const strange = await ask(ming, 'POST', '/wallet/transfers', { payee: nobody, amount: 5, currency: 'CNY' })
  expect(strange.status).toBe(201)
})

it('a transfer to oneself is refused, also by name', async () => {
  for (const payee of ['小明', ming.user]) {
    const reply = await ask(ming, 'POST', '/wallet/transfers', { payee, amount: 5, currency: 'CNY' })
    expect(reply).toMatchObject({ status: 400, json: { code: 'payload_invalid' } })
  }
})
