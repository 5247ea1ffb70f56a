/** Alternative encodings of one token, each of which would have to be verified and cached. */
import { expect, it } from 'vitest'
import { sharedService, sharedSession } from '../../support/hooks.ts'

const service = sharedService()
const session = sharedSession(service)

it.each<[string, (token: string) => string]>([
  ['padding', (token) => `${token}==`],
  ['a lot of padding', (token) => token + '='.repeat(8_000)],
  ['other trailing bits', (token) => token.slice(0, -1) + String.fromCharCode(token.charCodeAt(85) + 1)],
  ['a dot at the end', (token) => `${token}.`],
  ['two spaces before it', (token) => ` ${token}`],
])('a token with %s is refused', async (_title, change) => {
  const [head = '', payload = '', signature = ''] = session.token.split('.')
  const token = change(signature)
  const changed = token.startsWith(' ') ? ` ${session.token}` : `${head}.${payload}.${token}`
  const heard = await session.send({ path: '/sessions/current', token: changed })
  expect(heard.json).toMatchObject({ code: 'token_invalid', step: 'token' })
  expect((await session.send({ path: '/sessions/current' })).status).toBe(200)
})
