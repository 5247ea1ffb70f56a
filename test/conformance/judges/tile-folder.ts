/** Writes a log as C2SP tlog-tiles files with `crypto/` only. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { signCheckpoint } from '../../../crypto/tlog/checkpoint.ts'
import { hashLeaf, treeHashLength } from '../../../crypto/tlog/merkle.ts'
import { encodeVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { encodeBundle, tilePath, tileSpot, tileWidth, widthOfTile } from '../../../crypto/tlog/tiles.ts'
import { growTree } from '../../../crypto/tlog/tree-growth.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { logKey, logSigner, origin } from '../../unit/crypto/note-inputs.ts'

export const vkey: string = encodeVerifierKey(primitives, logKey)

/** The bytes of the entry at `index`. */
export function entryAt(index: number): Uint8Array {
  return new TextEncoder().encode(`entry ${index} of a log, ${'x'.repeat(index % 50)}`)
}

/** Writes the tiles, bundles and signed checkpoint of a log. @returns the checkpoint */
export function writeLog(folder: string, size: number): string {
  const growth = growTree(primitives)
  const hashes = new Map<string, Uint8Array>()
  for (let index = 0; index < size; index++) {
    for (const node of growth.append(hashLeaf(primitives, entryAt(index)))) {
      const { level, index: tile, from, count } = tileSpot(node)
      if (count > 1) continue
      const name = `${level}/${tile}`
      const bytes = hashes.get(name) ?? new Uint8Array(tileWidth * treeHashLength)
      bytes.set(node.hash, from * treeHashLength)
      hashes.set(name, bytes)
    }
  }
  for (const [name, bytes] of hashes) {
    const [level = 0, index = 0] = name.split('/').map(Number)
    const width = widthOfTile(size, level, index)
    put(folder, tilePath({ kind: 'hashes', level, index, width }), bytes.subarray(0, width * treeHashLength))
    if (level > 0) continue
    const entries = Array.from({ length: width }, (_, i) => entryAt(index * tileWidth + i))
    put(folder, tilePath({ kind: 'entries', index, width }), encodeBundle(entries))
  }
  const note = signCheckpoint(primitives, { origin, size, root: growth.root() }, [logSigner])
  put(folder, 'checkpoint', note)
  return note
}

function put(folder: string, path: string, content: Uint8Array | string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), content)
}
