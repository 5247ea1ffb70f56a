/**
 * The format of evidence bundles: a `.zip` that proves one entry and discloses the chosen groups of it, nothing else.
 *
 * ```
 * manifest.json                    format, entry, groups, and the SHA-256 of every other file
 * leaf.json  leaf.tlog-proof       the entry's bytes; its inclusion proof, with checkpoint and cosignatures
 * checkpoint.txt  checkpoint.sig   the signed text and the signature of the log key, for other tools
 * groups/<label>.json  .bin        salt and value; the bytes whose SHA-256 is the commitment in the leaf
 * signature-base.txt  signature.bin  device-key.pem      the device signature (RFC 9421), if `sig` is disclosed
 * enrolment/…                      the entry that enrolled the device key for the user, in the same form
 * keys/log.pem  keys/service.json  policy.txt            the keys, to compare with those from another source
 * body.bin                         the request body, if given
 * README.md  README.zh-CN.md
 * ```
 */
import { createHash, createPublicKey } from 'node:crypto'
import type { UnzipFileInfo } from 'fflate'
import { strFromU8, unzipSync, zipSync } from 'fflate'
import { concatBytes } from 'miniseal-protocol/bytes'
import { decodeBase64, decodeUtf8, encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import { parseGroup } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { parseTlogProof } from 'miniseal-protocol/tlog/tlog-proof'
import { z } from 'zod'

/** File contents by name. */
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
const maxBundleLength = 32 * 1_048_576
const maxFiles = 64
const fileName = /^[a-z][a-z0-9-]*(\/[a-z][a-z0-9-]*)*(\.[A-Za-z0-9-]+)+$|^README(\.zh-CN)?\.md$/

/** The file is not a bundle; the message is for the user. */
export class BundleUnreadable extends Error {}

/** Makes the archive, with its manifest. */
export function writeBundle(files: BundleFiles, about: Omit<Manifest, 'files' | 'format'>): Uint8Array {
  const digests = Object.fromEntries([...files].map(([name, bytes]) => [name, digestOf(bytes)]))
  const manifest: Manifest = { format: bundleFormat, ...about, files: digests }
  const text = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)
  return zipSync({ [manifestName]: new Uint8Array(text), ...Object.fromEntries(files) })
}

/** An unverified bundle. */
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
    throw new BundleUnreadable('the archive has no valid manifest')
  }
}

function unpack(archive: Uint8Array): Readonly<Record<string, Uint8Array>> {
  let total = 0
  const names = new Set<string>()
  const isAllowed = ({ name, originalSize }: UnzipFileInfo): boolean => {
    total += originalSize
    // Of two files with one name, tools show different ones.
    const isNew = names.size < names.add(name).size
    if (total > maxBundleLength || !isNew || names.size > maxFiles || !fileName.test(name)) {
      throw new BundleUnreadable('the archive is not an evidence bundle')
    }
    return true
  }
  try {
    if (archive.length > maxBundleLength) throw new BundleUnreadable('the archive is too large')
    return unzipSync(archive, { filter: isAllowed })
  } catch (error) {
    throw error instanceof BundleUnreadable ? error : new BundleUnreadable('the file is not a zip archive')
  }
}

/** Names of files that differ from the manifest, are missing, or are not in it. */
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

// Files of a bundle. All content is attacker-controlled.

/** @throws Error when the bundle has no such file. */
export function fileOf(files: BundleFiles, name: string): Uint8Array {
  const bytes = files.get(name)
  if (bytes === undefined) throw new Error(`${name} is missing`)
  return bytes
}

/** @throws Error as {@link fileOf}; FormatError unless it is UTF-8 */
export function textOf(files: BundleFiles, name: string): string {
  return decodeUtf8(fileOf(files, name))
}

/** The proof of the leaf in a folder: `''`, or `enrolment/`. @throws FormatError */
export function proofOf(files: BundleFiles, folder: string) {
  return parseTlogProof(textOf(files, `${folder}leaf.tlog-proof`))
}

/** A disclosed group. @throws Error for a missing or malformed one */
export function groupOf(files: BundleFiles, folder: string, label: string) {
  const group: unknown = JSON.parse(textOf(files, `${folder}groups/${label}.json`))
  const { salt, value } = group as { readonly salt: unknown; readonly value: unknown }
  if (typeof salt !== 'string' || typeof value !== 'string')
    throw new Error(`the group ${label} is malformed`)
  return { salt: decodeBase64(salt), value }
}

/** The bytes whose SHA-256 is the commitment in the leaf. */
export function committedBytes(label: string, salt: Uint8Array, value: string): Uint8Array {
  return concatBytes(encodeUtf8(`miniseal-audit/1\n${label}\n`), salt, encodeUtf8(value))
}

/** The members of a group; `undefined` if it is not disclosed. @throws FormatError */
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
