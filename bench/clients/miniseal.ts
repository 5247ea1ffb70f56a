/** Clients of Miniseal: real sessions, and frames made with the functions of `crypto/`. */

import type { RawSession } from '../../test/support/raw-client.ts'
import { logIn, prepareLogin } from '../../test/support/raw-client.ts'
import type { TestService } from '../../test/support/service.ts'
import type { WireResponse } from '../load/connection.ts'
import { requestBytes } from '../load/connection.ts'
import type { Prepared } from '../load/loops.ts'
import type { SchemeClient, Shape, Target } from './client.ts'
import { repeat, transferBody } from './client.ts'

/** Access tokens live ten minutes; a session is replaced before that. */
const sessionAge = 400_000

/** @param target `secrets`: origin, roots (comma list), appid, sandbox; number of users: `users` */
export function minisealClient({ ports, secrets }: Target): SchemeClient {
  const service = serviceAt(`http://127.0.0.1:${ports[0]}`, secrets)
  const users = Number(secrets.users ?? 64)
  let sessions: readonly RawSession[] = []
  let since = Number.NEGATIVE_INFINITY
  const freshSessions = async (): Promise<readonly RawSession[]> => {
    if (performance.now() - since < sessionAge) return sessions
    sessions = await repeat(users, (index) => logIn(service, { openid: `user-${index}` }))
    since = performance.now()
    return sessions
  }
  return {
    async prepare(shape, count, content) {
      if (shape === 'login') return await repeat(count, () => preparedLogin(service))
      const own = await freshSessions()
      return Array.from({ length: count }, (_, index) => {
        const session = own[index % own.length]
        if (session === undefined) throw new Error('no client has logged in')
        return preparedRequest(session, shape, transferBody(content, index))
      })
    },
  }
}

export function serviceAt(url: string, secrets: Target['secrets']): TestService {
  const { origin = '', roots = '', appid = '', sandbox = '' } = secrets
  const unused = (): never => {
    throw new Error('not available for a service in another process')
  }
  return {
    origin,
    url,
    sandboxUrl: sandbox,
    roots: roots.split(','),
    appid,
    environment: {},
    now: () => Math.floor(Date.now() / 1_000),
    async code(openid) {
      const response = await fetch(`${sandbox}/sandbox/codes`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ appid, ...(openid === undefined ? {} : { openid }) }),
      })
      return ((await response.json()) as { code: string }).code
    },
    logText: unused,
    advanceClock: unused,
    sandbox: unused,
    close: unused,
  }
}

function preparedRequest(session: RawSession, shape: Exclude<Shape, 'login'>, body: string): Prepared {
  const { frame, open } =
    shape === 'post'
      ? session.prepare({ method: 'POST', path: '/transfers', body: JSON.parse(body) })
      : session.prepare({ path: '/wallet' })
  return sealed(frame, open, 200)
}

async function preparedLogin(service: TestService): Promise<Prepared> {
  const { frame, open } = await prepareLogin(service)
  return sealed(frame, open, 201)
}

function sealed(
  frame: Uint8Array,
  open: (bytes: Uint8Array) => { readonly status: number },
  expected: number,
): Prepared {
  return {
    bytes: requestBytes('POST', '/seal', { 'content-type': 'application/vnd.miniseal' }, frame),
    check: async ({ status, body }: WireResponse) => {
      if (status !== 200) throw new Error(`answered in the clear: ${status} ${body}`)
      const inner = open(new Uint8Array(body))
      if (inner.status !== expected) throw new Error(`answered with ${inner.status}`)
    },
  }
}
