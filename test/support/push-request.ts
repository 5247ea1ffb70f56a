/** A backend that pushes an event: RFC 9421 by hand with Node's own cryptography, as in `docs/guides/integration.md`. */
import type { KeyObject } from 'node:crypto'
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export interface PushBackend {
  readonly name: string
  readonly privateKey: KeyObject
  /** The entry for MINISEAL_PUSH_KEYS. */
  readonly entry: string
}

export function newBackend(name: string): PushBackend {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return { name, privateKey, entry: `${name}=${publicKey.export({ format: 'jwk' }).x}` }
}

export interface PushParts {
  readonly event?: unknown
  /** Instead of the JSON of `event`. */
  readonly body?: string
  readonly id?: string
  /** The components that are covered. */
  readonly covered?: readonly string[]
  readonly created?: number
  readonly nonce?: string
  readonly keyid?: string
  readonly tag?: string
  readonly label?: string
  readonly authority?: string
  /** More signature parameters. */
  readonly more?: string
  /** Changes the fields after they were signed. */
  readonly after?: (headers: Record<string, string>) => Record<string, string>
}

/** The headers and the body of `POST /push`. @param origin that of the service, MINISEAL_ORIGIN */
export function signedPush(
  { name, privateKey }: PushBackend,
  origin: string,
  parts: PushParts,
): { readonly headers: Record<string, string>; readonly body: string } {
  const body = parts.body ?? JSON.stringify(parts.event)
  const digest = createHash('sha256').update(body).digest('base64')
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'content-digest': `sha-256=:${digest}:`,
  }
  if (parts.id !== undefined) headers['idempotency-key'] = `"${parts.id}"`
  const values: Record<string, string | undefined> = {
    '@method': 'POST',
    '@authority': parts.authority ?? new URL(origin).host,
    '@path': '/push',
    ...headers,
  }
  const covered = parts.covered ?? ['@method', '@authority', '@path', ...Object.keys(headers)]
  const nonce = parts.nonce ?? randomBytes(16).toString('base64url')
  const created = parts.created ?? Math.floor(Date.now() / 1000)
  const list = covered.map((component) => `"${component}"`).join(' ')
  const input = `(${list});created=${created};nonce="${nonce}";keyid="${parts.keyid ?? name}";tag="${parts.tag ?? 'miniseal-push'}"${parts.more ?? ''}`
  const lines = covered.map((component) => `"${component}": ${values[component] ?? ''}\n`)
  const signature = sign(null, Buffer.from(`${lines.join('')}"@signature-params": ${input}`), privateKey)
  const label = parts.label ?? 'push'
  const signed = {
    ...headers,
    'signature-input': `${label}=${input}`,
    signature: `${label}=:${signature.toString('base64')}:`,
  }
  return { headers: parts.after?.(signed) ?? signed, body }
}
