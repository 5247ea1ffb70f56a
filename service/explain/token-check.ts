/** The access token of a captured request (RFC 9068, RFC 7800): read, and verified where the service's keys are known. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { parseDictionary } from 'miniseal-protocol/http-signatures/structured-fields'
import { encodeAscii } from 'miniseal-protocol/text'
import { z } from 'zod'
import { sodiumPrimitives as primitives } from '../keys/sodium-primitives.ts'
import type { KnownKey } from './public-keys.ts'
import { isUsable } from './public-keys.ts'
import { printable } from './redaction.ts'
import type { Finding, Step } from './report.ts'
import type { Reference } from './single-checks.ts'
import { failed, passed, tokenDigest, unknown } from './single-checks.ts'

const header = z.looseObject({ alg: z.string(), typ: z.string().optional(), kid: z.string().optional() })

const claims = z.looseObject({
  sub: z.string(),
  client_id: z.string(),
  sid: z.string(),
  exp: z.number().int(),
  iss: z.string(),
  aud: z.string(),
  cnf: z.looseObject({ jkt: z.string() }),
})

type Token = {
  readonly text: string
  readonly header: z.infer<typeof header>
  readonly claims: z.infer<typeof claims>
}

const invalid = (words: string): ProtocolError => new ProtocolError('token_invalid', words)

/** @param keyid of the device's signature */
export function checkToken(
  message: RequestMessage,
  keyid: string,
  keys: readonly KnownKey[],
  at: Reference,
): Step {
  const field = message.fields.find(([name]) => name === 'authorization')?.[1]
  const isLogin = message.method === 'POST' && message.path === '/sessions'
  if (field === undefined) {
    const error = new ProtocolError('token_missing', 'the access token is missing')
    return isLogin ? passed('token') : failed('token', error, { id: 'token-gone', detail: '' })
  }
  const [, scheme = '', text = ''] = /^(\S{1,32})\s+(\S+)$/.exec(field) ?? []
  if (scheme.toLowerCase() !== 'httpsig')
    return failed('token', invalid('not an HTTPSig token'), { id: 'token-scheme', detail: scheme })
  const token = readToken(text)
  if (token === undefined)
    return failed('token', invalid('not a token'), { id: 'token-unreadable', detail: tokenDigest(text) })
  return judge(token, keyid, keys, at, message)
}

/** Form, issuer and audience. */
function statedFault({ header: head, claims: said, text }: Token, authority: string): Step | undefined {
  if (head.alg !== 'EdDSA' || head.typ !== 'at+jwt')
    return failed('token', invalid('not an access token'), {
      id: 'token-unreadable',
      detail: tokenDigest(text),
    })
  if (said.aud === said.iss && said.iss.replace(/^https?:\/\//, '') === authority) return undefined
  return failed('token', invalid('the access token is of another service'), {
    id: 'token-of-other-service',
    detail: printable(said.iss),
  })
}

function judge(
  token: Token,
  keyid: string,
  keys: readonly KnownKey[],
  at: Reference,
  { method, path, authority }: RequestMessage,
): Step {
  const fault = statedFault(token, authority)
  if (fault !== undefined) return fault
  if (token.claims.cnf.jkt !== keyid) {
    const error = new ProtocolError('token_key_mismatch', 'the access token belongs to another key')
    return failed('token', error, { id: 'token-of-other-key', detail: token.claims.cnf.jkt.slice(0, 43) })
  }
  const late = at.seconds - token.claims.exp
  const isRenewal = method === 'POST' && path === '/sessions/current/token'
  if (late >= 0 && !isRenewal) {
    const finding: Finding = { id: 'token-late', detail: String(late) }
    const error = new ProtocolError('token_expired', 'the access token has expired')
    return at.isKnown ? failed('token', error, finding) : unknown('token', finding)
  }
  const key = keys.find((each) => each.kid === token.header.kid && isUsable(each, 'token'))
  if (key === undefined)
    return unknown('token', { id: 'token-key-missing', detail: (token.header.kid ?? '').slice(0, 64) })
  const end = token.text.lastIndexOf('.')
  const signature = new Uint8Array(Buffer.from(token.text.slice(end + 1), 'base64url'))
  const isGood =
    signature.length === 64 &&
    primitives.ed25519Verify(signature, encodeAscii(token.text.slice(0, end)), key.publicKey)
  if (isGood) return passed('token', tokenDigest(token.text))
  return failed('token', invalid('the token does not verify'), {
    id: 'token-forged',
    detail: tokenDigest(token.text),
  })
}

/** `undefined` for what is no access token of the service's form. Untrusted. */
function readToken(text: string): Token | undefined {
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(text)) return undefined
  const [head = '', body = ''] = text.split('.')
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
  try {
    return { text, header: header.parse(read(head)), claims: claims.parse(read(body)) }
  } catch {
    return undefined
  }
}

/** Whether `miniseal-caller` says what the token says. */
export function checkCaller(message: RequestMessage): Step {
  const named = (name: string): string => message.fields.find(([other]) => other === name)?.[1] ?? ''
  const token = readToken(named('authorization').split(/\s+/)[1] ?? '')
  if (token === undefined) return unknown('caller')
  const { sub, client_id: app, sid, cnf } = token.claims
  const expected: Readonly<Record<string, string>> = { user: sub, device: cnf.jkt, session: sid, app }
  const told = parseDictionary(named('miniseal-caller'))
  const wrong = Object.entries(expected).find(([name, value]) => {
    const member = told.get(name)
    return member?.kind !== 'item' || member.value.kind !== 'string' || member.value.value !== value
  })
  if (wrong === undefined) return passed('caller')
  return failed('caller', invalid('the access token is not of the caller'), {
    id: 'caller-other',
    detail: wrong[0],
  })
}
