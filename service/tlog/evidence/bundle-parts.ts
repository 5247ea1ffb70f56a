/** What stands in the files of an evidence bundle. All of it is attacker-controlled. */

import { concatBytes } from 'miniseal-protocol/bytes'
import { decodeBase64, decodeUtf8, encodeUtf8 } from 'miniseal-protocol/text'
import { parseGroup } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { parseTlogProof } from 'miniseal-protocol/tlog/tlog-proof'
import type { BundleFiles } from './bundle.ts'

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
