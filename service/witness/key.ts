/**
 * The key of a witness: a file with mode 0600, created once. Format: note signer key,
 * `PRIVATE+KEY+<name>+<hex of key id>+<base64 of type ‖ seed>`.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { FormatError } from 'miniseal-protocol/errors'
import { decodeBase64, encodeBase64, encodeHex } from 'miniseal-protocol/text'
import type { NoteSigner } from 'miniseal-protocol/tlog/signed-note'
import { assertKeyName, encodeVerifierKey, noteKeyId, noteKeyTypes } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'

const seedLength = 32

/** The key cannot be used; the message is for the operator. */
export class WitnessKeyError extends Error {
  override readonly name = 'WitnessKeyError'
}

/** The witness's verifier key, type 0x04. */
export function witnessVerifierKey({ name, publicKey }: NoteSigner): string {
  return encodeVerifierKey(sodiumPrimitives, { kind: 'cosignature', name, publicKey })
}

/**
 * Reads or creates the key.
 *
 * @param name of the key; `undefined`: that of the file, or `defaultName` for a new key
 * @throws WitnessKeyError if other users can read the file, it is malformed, or has another name
 */
export function openWitnessKey(path: string, name: string | undefined, defaultName: string): NoteSigner {
  if (!existsSync(path)) createKey(path, name ?? defaultName)
  if ((statSync(path).mode & 0o077) !== 0)
    throw new WitnessKeyError(
      `${path} is readable by other users: if the key is not compromised, run chmod 600`,
    )
  const signer = parseKey(readFileSync(path, 'utf8'), path)
  if (name !== undefined && name !== signer.name)
    throw new WitnessKeyError(`${path} is the key of ${signer.name}; the name of a witness cannot change`)
  return signer
}

function createKey(path: string, name: string): void {
  try {
    assertKeyName(name)
  } catch {
    throw new WitnessKeyError('the name of a witness must not contain a space or a plus sign')
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomBytes(8).toString('hex')}`
  writeDurably(draft, encodeKey(name, new Uint8Array(randomBytes(seedLength))))
  try {
    // Atomic, and does not replace a key that another process has just created.
    linkSync(draft, path)
  } catch (error) {
    if (!existsSync(path)) throw error
  } finally {
    rmSync(draft)
  }
  syncFolder(dirname(path))
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function encodeKey(name: string, seed: Uint8Array): string {
  const { publicKey } = sodiumPrimitives.ed25519KeyPair(seed)
  const id = encodeHex(noteKeyId(sodiumPrimitives, { kind: 'cosignature', name, publicKey }))
  return `PRIVATE+KEY+${name}+${id}+${encodeBase64(Uint8Array.of(noteKeyTypes.cosignature, ...seed))}\n`
}

function parseKey(text: string, path: string): NoteSigner {
  const [, name = '', digits = ''] =
    /^PRIVATE\+KEY\+([^+]+)\+[0-9a-f]{8}\+([A-Za-z0-9+/]{44})\n$/.exec(text) ?? []
  try {
    const seed = decodeBase64(digits).slice(1)
    assertKeyName(name)
    if (encodeKey(name, seed) !== text) throw new FormatError('not a key')
    return { name, ...sodiumPrimitives.ed25519KeyPair(seed) }
  } catch (error) {
    // No details: the content is a secret.
    if (error instanceof FormatError) throw new WitnessKeyError(`${path} is not the key of a witness`)
    throw error
  }
}
