/** Access tokens, verified by `jose` in a process that only has the URL of the published keys. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { logIn, type RawSession } from '../../support/raw-client.ts'
import { startTestService, type TestService } from '../../support/service.ts'

const program = `
import { createRemoteJWKSet, jwtVerify } from 'jose'
const [origin, ...tokens] = process.argv.slice(1)
const keys = createRemoteJWKSet(new URL(origin + '/.well-known/jwks.json'))
const options = { issuer: origin, audience: origin, typ: 'at+jwt', algorithms: ['EdDSA'] }
const verify = (token) => jwtVerify(token, keys, options).then(({ payload }) => payload.sub, (error) => error.code)
console.log(JSON.stringify(await Promise.all(tokens.map(verify))))
`

let service: TestService
let session: RawSession

beforeAll(async () => {
  service = await startTestService()
  session = await logIn(service)
})

afterAll(() => service.close())

async function judged(...tokens: readonly string[]): Promise<unknown> {
  const cwd = new URL('../../..', import.meta.url).pathname
  const args = ['--input-type=module', '--eval', program, service.origin, ...tokens]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, timeout: 20_000 })
  return JSON.parse(stdout)
}

it('an access token verifies with jose in another process, and a changed one does not', async () => {
  const [header = '', payload = '', signature = ''] = session.token.split('.')
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const other = encode({ ...(claims as object), sub: 'u_somebody-else' })
  const unsigned = `${encode({ alg: 'none', typ: 'at+jwt' })}.${payload}.`
  const end = signature.startsWith('A') ? 'B' : 'A'
  expect(
    await judged(
      session.token,
      `${header}.${other}.${signature}`,
      unsigned,
      `${header}.${payload}.${end}${signature.slice(1)}`,
    ),
  ).toEqual([
    session.user,
    'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
    'ERR_JOSE_ALG_NOT_ALLOWED',
    'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  ])
})
