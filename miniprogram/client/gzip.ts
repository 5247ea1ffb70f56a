/**
 * Compression with fflate: `createChannel({ …, compression })`. A separate file of the package, so that mini programs
 * without large bodies save its 9 KB.
 */
import { gunzipSync, gzipSync } from 'fflate'
import type { Compression } from './compression.ts'

/** ISIZE, the length of the uncompressed data (RFC 1952, section 2.3.1). */
const LENGTH_BYTES = 4

export const compression: Compression = {
  // A fixed `mtime` keeps the output, and so the content digest, deterministic.
  gzip: (content) => gzipSync(content, { mtime: 0, level: 6 }),
  gunzip: (content, maxLength) => {
    const [a = 0, b = 0, c = 0, d = 0] = content.subarray(-LENGTH_BYTES)
    const length = a + b * 0x100 + c * 0x10000 + d * 0x1000000
    if (length > maxLength) throw new RangeError('decompressed content too large')
    // fflate never writes beyond `out`, whatever ISIZE claims.
    return gunzipSync(content, { out: new Uint8Array(length) })
  },
}
