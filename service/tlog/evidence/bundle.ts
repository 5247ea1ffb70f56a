/**
 * An evidence bundle: a `.zip` that proves one entry and discloses the chosen groups of it, and nothing else.
 *
 * ```
 * manifest.json                    format, entry, groups, and the SHA-256 of every other file
 * leaf.json  leaf.tlog-proof       the entry's bytes; its inclusion proof, with checkpoint and cosignatures
 * checkpoint.txt  checkpoint.sig   what the log's key signed, and the signature, for other tools
 * groups/<label>.json  .bin        salt and value; and the bytes whose SHA-256 is the commitment in the leaf
 * signature-base.txt  signature.bin  device-key.pem      what the device signed (RFC 9421), where `sig` is disclosed
 * enrolment/…                      the entry with which the device's key came to the user, in the same form
 * keys/log.pem  keys/service.json  policy.txt            the keys that count, to be compared with those known elsewhere
 * body.bin                         the request's body, if it was given
 * README.md  README.zh-CN.md
 * ```
 */
import { createHash, createPublicKey } from 'node:crypto'
import { strFromU8, unzipSync, zipSync } from 'fflate'
import { concatBytes } from 'miniseal-protocol/bytes'
import { decodeBase64, decodeUtf8, encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import { parseGroup } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { parseTlogProof } from 'miniseal-protocol/tlog/tlog-proof'
import { z } from 'zod'

/** Names with their bytes. */
export type BundleFiles = ReadonlyMap<string, Uint8Array>

const bundleFormat = 'miniseal-evidence/1'

const manifestName = 'manifest.json'

const manifestShape = z.strictObject({
  format: z.literal(bundleFormat),
  id: z.string(),
  origin: z.string(),
  groups: z.array(z.string()),
  files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
})

export type Manifest = z.infer<typeof manifestShape>

/** Bytes of all files and of the archive: zip bombs are rejected before unpacking. */
const largestBundle = 32 * 1_048_576
const maxFiles = 64
const fileName = /^[a-z][a-z0-9-]*(\/[a-z][a-z0-9-]*)*(\.[A-Za-z0-9-]+)+$|^README(\.zh-CN)?\.md$/

/** Not a bundle; the message is for the user. */
export class BundleUnreadable extends Error {}

/** The archive, its manifest with it. */
export function writeBundle(files: BundleFiles, about: Omit<Manifest, 'files' | 'format'>): Uint8Array {
  const digests = Object.fromEntries([...files].map(([name, bytes]) => [name, digestOf(bytes)]))
  const manifest: Manifest = { format: bundleFormat, ...about, files: digests }
  const text = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)
  return zipSync({ [manifestName]: new Uint8Array(text), ...Object.fromEntries(files) })
}

/** A bundle as it was read; the digests of its files are not yet compared. */
export interface ReadBundle {
  readonly manifest: Manifest
  readonly files: BundleFiles
}

/** Reads an attacker-controlled archive. @throws BundleUnreadable */
export function readBundle(archive: Uint8Array): ReadBundle {
  const files = new Map(Object.entries(unpack(archive)))
  const text = files.get(manifestName)
  files.delete(manifestName)
  try {
    return { manifest: manifestShape.parse(JSON.parse(strFromU8(text ?? new Uint8Array(0)))), files }
  } catch {
    throw new BundleUnreadable('the archive has no manifest of an evidence bundle')
  }
}

function unpack(archive: Uint8Array): Readonly<Record<string, Uint8Array>> {
  let total = 0
  const names = new Set<string>()
  const isAllowed = ({
    name,
    originalSize,
  }: {
    readonly name: string
    readonly originalSize: number
  }): boolean => {
    total += originalSize
    // Tools differ in which of two files with one name they show.
    const isNew = names.size < names.add(name).size
    if (total > largestBundle || !isNew || names.size > maxFiles || !fileName.test(name)) {
      throw new BundleUnreadable('the archive holds what no evidence bundle has')
    }
    return true
  }
  try {
    if (archive.length > largestBundle) throw new BundleUnreadable('the archive is too large')
    return unzipSync(archive, { filter: isAllowed })
  } catch (error) {
    throw error instanceof BundleUnreadable ? error : new BundleUnreadable('the file is no zip archive')
  }
}

/** Files that are not the ones of the manifest, are missing, or are not in it. */
export function differingFiles({ manifest, files }: ReadBundle): readonly string[] {
  const names = new Set([...Object.keys(manifest.files), ...files.keys()])
  return [...names].filter((name) => {
    const bytes = files.get(name)
    return bytes === undefined || digestOf(bytes) !== manifest.files[name]
  })
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

// Readers of the bundle's files. All content is attacker-controlled.

/** @throws Error when the bundle has no such file. */
export function fileOf(files: BundleFiles, name: string): Uint8Array {
  const bytes = files.get(name)
  if (bytes === undefined) throw new Error(`${name} is missing`)
  return bytes
}

/** @throws Error as {@link fileOf}; FormatError for what is not UTF-8. */
export function textOf(files: BundleFiles, name: string): string {
  return decodeUtf8(fileOf(files, name))
}

/** The proof of the leaf in a folder: `''`, or `enrolment/`. @throws FormatError */
export function proofOf(files: BundleFiles, folder: string) {
  return parseTlogProof(textOf(files, `${folder}leaf.tlog-proof`))
}

/** A group as it is disclosed. @throws Error for one that is not there, or of another form. */
export function groupOf(files: BundleFiles, folder: string, label: string) {
  const group: unknown = JSON.parse(textOf(files, `${folder}groups/${label}.json`))
  const { salt, value } = group as { readonly salt: unknown; readonly value: unknown }
  if (typeof salt !== 'string' || typeof value !== 'string') throw new Error(`${label} is no group`)
  return { salt: decodeBase64(salt), value }
}

/** The bytes whose SHA-256 is the commitment in the leaf. */
export function committedBytes(label: string, salt: Uint8Array, value: string): Uint8Array {
  return concatBytes(encodeUtf8(`miniseal-audit/1\n${label}\n`), salt, encodeUtf8(value))
}

/** What a group says; `undefined` where it is not disclosed. @throws FormatError */
export function findGroup(files: BundleFiles, folder: string, label: string): FlatObject | undefined {
  if (!files.has(`${folder}groups/${label}.json`)) return undefined
  return parseGroup(encodeUtf8(groupOf(files, folder, label).value))
}

/** @param publicKey 32 bytes */
export function publicKeyPem(publicKey: Uint8Array): Uint8Array {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(publicKey) }
  return encodeUtf8(
    createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString(),
  )
}
