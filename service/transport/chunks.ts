/** Bounds how finely a body in chunks may be cut: reading a chunk of one byte costs thousands of times its byte. */
import type { IncomingMessage } from 'node:http'

/** Chunks (RFC 9112, section 7.1) that a body may have whatever their size. */
const freeChunks = 64

/** Bytes that each chunk beyond them must have been worth, on average of the body. */
const meanBytes = 64

/** @param cut called once the body has more chunks than its bytes are worth; nothing more of it is taken */
export function boundChunks(request: IncomingMessage, cut: () => void): void {
  if (request.headers['transfer-encoding'] === undefined) return
  let chunks = 0
  let bytes = 0
  const { push } = request
  request.push = function pushCounted(chunk: Uint8Array | null, encoding) {
    chunks += 1
    bytes += chunk?.length ?? 0
    if (chunks <= freeChunks + bytes / meanBytes) return push.call(request, chunk, encoding)
    cut()
    return false
  }
}
