/**
 * Compression with fflate: `createChannel({ …, compression })`. A file of its own in the package, because a mini
 * program that sends nothing long has no use for its 9 KB.
 */
import { gunzipSync, gzipSync } from 'fflate'
import type { Compression } from './compression.ts'

/** Where a gzip file says how long its content is (RFC 1952, section 2.3.1). */
const LENGTH_BYTES = 4

export const compression: Compression = {
  // Without a fixed time, the same content would have another digest each second.
  gzip: (content) => gzipSync(content, { mtime: 0, level: 6 }),
  gunzip: (content, longest) => {
    const [a = 0, b = 0, c = 0, d = 0] = content.subarray(-LENGTH_BYTES)
    const length = a + b * 0x100 + c * 0x10000 + d * 0x1000000
    if (length > longest) throw new RangeError('too long when unpacked')
    // It is written into this room and no more, whatever the data says.
    return gunzipSync(content, { out: new Uint8Array(length) })
  },
}
