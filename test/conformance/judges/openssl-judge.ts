/** Verifies a signature with `openssl pkeyutl`. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The prefix of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410, section 4). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')

/** Whether an Ed25519 signature over `message` verifies. */
export function opensslVerifies(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-openssl-'))
  try {
    const file = (name: string, content: Uint8Array): string => {
      writeFileSync(join(folder, name), content)
      return join(folder, name)
    }
    const key = file('key.der', Buffer.concat([spkiPrefix, publicKey]))
    const args = ['-verify', '-pubin', '-keyform', 'DER', '-inkey', key, '-rawin']
    const files = ['-in', file('message', message), '-sigfile', file('signature', signature)]
    const { status, stdout, error } = spawnSync('openssl', ['pkeyutl', ...args, ...files], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    if (error !== undefined) throw error
    return status === 0 && stdout.includes('Signature Verified Successfully')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
