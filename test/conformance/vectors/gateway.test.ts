/** gateway.json against `miniseal-verify`. `test/e2e/docs/backends.test.ts` holds the guides' programs to it as well. */
import { describe, expect, it } from 'vitest'
import { decodeHex } from '../../../crypto/text.ts'
import type { NodeRequest } from '../../../packages/verify/index.ts'
import { createVerifier, ProtocolError } from '../../../packages/verify/index.ts'
import { readVectors } from './read-vectors.ts'

const { origin, now, token_keys: jwks, message_keys: messageKeys, caller, requests } = readVectors('gateway')

/** Like Node's `IncomingMessage`: `headers` keeps the first of some repeated fields, `rawHeaders` all. */
function nodeRequest({ method, path, fields }: (typeof requests)[number]): NodeRequest {
  return {
    method,
    url: path,
    headers: Object.fromEntries([...fields].reverse()),
    rawHeaders: fields.flat(),
  }
}

const verify = createVerifier({ origin, jwks, messageKeys, now: () => now })

async function codeOf(request: (typeof requests)[number]): Promise<string | null> {
  return await verify(nodeRequest(request), decodeHex(request.content)).then(
    (found) => {
      expect(found).toMatchObject({ user: caller.user, device: caller.device, session: caller.session })
      return null
    },
    (error: unknown) => {
      if (error instanceof ProtocolError) return error.code
      throw error
    },
  )
}

describe('createVerifier', () => {
  it.each(requests)('createVerifier gives the vector "$title" the code $code', async (request) => {
    expect(await codeOf(request)).toBe(request.code)
  })
})
