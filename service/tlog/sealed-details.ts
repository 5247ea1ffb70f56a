/**
 * Sealed details: the disclosures of an entry, encrypted with the subject's key.
 *
 * ```
 * sealed = nonce(24) ‖ XChaCha20-Poly1305(JSON, associated data = the leaf's id(16))
 * JSON   = {"groups":{"<label>":{"salt":"<base64 32>","value":"<text>"}}}
 * commitment = SHA-256("miniseal-audit/1" ‖ 0x0a ‖ label ‖ 0x0a ‖ salt(32) ‖ value)
 * ```
 */

import sodium from 'sodium-native'
import { randomBytes } from '../keys/sodium-primitives.ts'
import type { PendingEntry } from '../store/tlog-entries.ts'
import type { FindSubjectKey } from './subject-keys.ts'

/** The opening of a commitment. */
export interface OpenedGroup {
  /** 32 bytes. */
  readonly salt: Uint8Array
  /** A flat JSON object (RFC 8785). */
  readonly value: string
}

/** By label: `core`, `sig`, `pay`, `net`, `sub`. */
export type OpenedGroups = ReadonlyMap<string, OpenedGroup>

const nonceLength = 24
const tagLength = 16
const saltLength = 32

/** The decoder of the platform, for speed: whole logs are read through it. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The commitment to a group, 32 bytes. */
export function commitmentOf(label: string, { salt, value }: OpenedGroup): Uint8Array {
  const digest = new Uint8Array(32)
  const head = `miniseal-audit/1\n${label}\n`
  sodium.crypto_hash_sha256(digest, Buffer.concat([Buffer.from(head), salt, Buffer.from(value)]))
  return digest
}

/** @param id 16 bytes; associated data, so that a detail moved to another entry does not open */
export function sealDetail(groups: OpenedGroups, id: Uint8Array, key: Uint8Array): Uint8Array {
  const written = [...groups].map(([label, { salt, value }]) => [
    label,
    { salt: Buffer.from(salt).toString('base64'), value },
  ])
  return sealText(JSON.stringify({ groups: Object.fromEntries(written) }), id, key)
}

/** Seals a text as {@link sealDetail} does. */
export function sealText(text: string, id: Uint8Array, key: Uint8Array): Uint8Array {
  const plain = Buffer.from(text)
  const nonce = randomBytes(nonceLength)
  const sealed = Buffer.alloc(plain.length + tagLength)
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, plain, id, null, nonce, key)
  return new Uint8Array(Buffer.concat([nonce, sealed]))
}

/** @throws Error unless the bytes are groups, sealed with this key for this id */
export function openDetail(detail: Uint8Array, id: Uint8Array, key: Uint8Array): OpenedGroups {
  return readGroups(JSON.parse(openText(detail, id, key)))
}

/** The groups of an entry; empty if it has no detail or its key was shredded. @throws Error as {@link openDetail} */
export async function openGroups(
  { detail, id, userBlindIndex }: Pick<PendingEntry, 'detail' | 'id' | 'userBlindIndex'>,
  findKey: FindSubjectKey,
): Promise<OpenedGroups> {
  const key = detail === null ? undefined : await findKey(userBlindIndex)
  return detail === null || key === undefined ? new Map() : openDetail(detail, id, key)
}

/** @throws Error unless the bytes were sealed with this key for this id */
export function openText(detail: Uint8Array, id: Uint8Array, key: Uint8Array): string {
  const plain = Buffer.allocUnsafe(Math.max(0, detail.length - nonceLength - tagLength))
  const [nonce, sealed] = [detail.subarray(0, nonceLength), detail.subarray(nonceLength)]
  sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, sealed, id, nonce, key)
  return utf8.decode(plain)
}

function readGroups(value: unknown): OpenedGroups {
  if (!isRecord(value) || !isRecord(value.groups)) throw new Error('the detail has no groups')
  return new Map(
    Object.entries(value.groups).map(([label, group]) => {
      if (!isRecord(group) || typeof group.salt !== 'string' || typeof group.value !== 'string') {
        throw new Error('a group has no salt or value')
      }
      const salt = Buffer.from(group.salt, 'base64')
      if (salt.length !== saltLength || salt.toString('base64') !== group.salt) {
        throw new Error('a salt is malformed')
      }
      return [label, { salt, value: group.value }]
    }),
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
