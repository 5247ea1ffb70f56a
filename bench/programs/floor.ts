/** Lower bounds: the same cryptography, a bare HTTP server, the same rows. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { commitFloor } from '../floor/commits.ts'
import { cryptoFloor } from '../floor/cryptography.ts'
import { serveCalls } from './calls.ts'

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = Buffer.concat(chunks)
    const fields = { 'content-type': 'application/vnd.miniseal', 'content-length': body.length }
    response.writeHead(200, fields).end(body)
  })
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

export const floorCalls = {
  where: async () => ({ port: (server.address() as AddressInfo).port }),
  cryptography: cryptoFloor,
  commits: commitFloor,
}

export type FloorCalls = typeof floorCalls

serveCalls(floorCalls)
