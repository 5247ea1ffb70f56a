/** A minimal witness (C2SP tlog-witness) with injectable failures. */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { decodeBase64 } from '../../crypto/text.ts'
import { parseCheckpointNote } from '../../crypto/tlog/checkpoint.ts'
import { cosign } from '../../crypto/tlog/cosignature.ts'
import { emptyRoot, type TreeHead, verifyConsistency } from '../../crypto/tlog/merkle.ts'
import { encodeSignatureLine } from '../../crypto/tlog/signed-note.ts'
import { sodiumPrimitives } from '../../service/keys/sodium-primitives.ts'
import type { WitnessTarget } from '../../service/tlog/witnesses.ts'

export interface TestWitness {
  readonly witness: WitnessTarget
  /** What it saw last; may be set. */
  seen: TreeHead
  /** The number of received checkpoints. */
  requests: number
  /** The response to every request, when set. */
  instead: { readonly status: number; readonly type?: string; readonly body: string } | undefined
  close(): Promise<void>
}

/** @param port 0: any */
export async function startTestWitness(name: string, seed: number, port = 0): Promise<TestWitness> {
  const pair = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(seed))
  const signer = { name, ...pair }
  const server: Server = createServer(async (request, response) => {
    const { status, type = 'text/plain', body } = answer(test, signer, await read(request))
    response.writeHead(status, { 'content-type': type }).end(body)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const key = { kind: 'cosignature', name, publicKey: pair.publicKey } as const
  const test: TestWitness = {
    witness: { name: `the-${name}`, key, url: `http://127.0.0.1:${address.port}` },
    seen: { size: 0, root: emptyRoot(sodiumPrimitives) },
    requests: 0,
    instead: undefined,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return test
}

type Signer = Parameters<typeof cosign>[2]
type Answer = { readonly status: number; readonly type?: string; readonly body: string }

function answer(test: TestWitness, signer: Signer, text: string): Answer {
  test.requests += 1
  if (test.instead !== undefined) return test.instead
  const end = text.indexOf('\n\n')
  const [first = '', ...lines] = text.slice(0, end).split('\n')
  const { checkpoint, note } = parseCheckpointNote(text.slice(end + 2))
  if (Number(first.replace('old ', '')) !== test.seen.size) {
    return { status: 409, type: 'text/x.tlog.size', body: `${test.seen.size}\n` }
  }
  try {
    if (test.seen.size > 0 || lines.length > 0) {
      verifyConsistency(sodiumPrimitives, test.seen, checkpoint, lines.map(decodeBase64))
    }
  } catch {
    return { status: 422, body: '' }
  }
  test.seen = checkpoint
  const time = Math.floor(Date.now() / 1000)
  return { status: 200, body: encodeSignatureLine(cosign(sodiumPrimitives, note.text, signer, time)) }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of request) text += String(part)
  return text
}
