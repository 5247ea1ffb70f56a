/** Clients of the floor's bare HTTP server, which echoes the bytes of an encrypted request. */
import { requestBytes } from '../load/connection.ts'
import type { SchemeClient } from './client.ts'
import { repeat } from './client.ts'

export function echoClient(): SchemeClient {
  return {
    prepare: (_shape, count, content) =>
      repeat(count, async () => {
        const body = Buffer.alloc(content, 1)
        return {
          bytes: requestBytes('POST', '/seal', { 'content-type': 'application/vnd.miniseal' }, body),
          check: async (response) => {
            if (!response.body.equals(body)) throw new Error('the response has different bytes')
          },
        }
      }),
  }
}
