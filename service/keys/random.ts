/** Bytes of the system's generator, asked for in blocks: one call for each salt and nonce costs more than they do. */
import { randomFillSync } from 'node:crypto'

/** Bytes of a block. */
const blockLength = 4_096

const block = new Uint8Array(blockLength)
let used = blockLength

/** Fresh random bytes, of which no copy is kept. */
export function randomBytes(length: number): Uint8Array {
  if (length > blockLength / 8) return randomFillSync(new Uint8Array(length))
  if (used + length > blockLength) {
    randomFillSync(block)
    used = 0
  }
  const taken = block.slice(used, used + length)
  block.fill(0, used, used + length)
  used += length
  return taken
}
