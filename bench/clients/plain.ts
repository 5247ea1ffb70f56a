/** Clients of the peer in `../peers/plain.ts`. */
import { randomUUID } from 'node:crypto'
import { requestBytes } from '../load/connection.ts'
import type { SchemeClient } from './client.ts'
import { assertTransferResponse, repeat, transferBody } from './client.ts'

export function plainClient(): SchemeClient {
  return {
    prepare: (_shape, count, content) =>
      repeat(count, async (index) => {
        const fields = { 'content-type': 'application/json', 'idempotency-key': `"${randomUUID()}"` }
        return {
          bytes: requestBytes('POST', '/transfers', fields, transferBody(content, index)),
          check: async (response) => assertTransferResponse(response, String(response.body)),
        }
      }),
  }
}
