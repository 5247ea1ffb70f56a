/** gateway.json through the package's own verifier. The guides' programs: `test/e2e/docs/backends.test.ts`. */
import { describe, expect, it } from 'vitest'
import { decodeHex } from '../../../crypto/text.ts'
import type { NodeRequest } from '../../../service/verify.ts'
import { ProtocolError, verifyMiniseal } from '../../../service/verify.ts'
import { readVectors } from './read-vectors.ts'

const { origin, now, token_keys: jwks, message_keys: messageKeys, caller, requests } = readVectors('gateway')

/** As Node gives it: of some fields that came twice, `headers` has the first alone. */
function nodeRequest({ method, path, fields }: (typeof requests)[number]): NodeRequest {
  return {
    method,
    url: path,
    headers: Object.fromEntries([...fields].reverse()),
    rawHeaders: fields.flat(),
  }
}

async function codeOf(request: (typeof requests)[number]): Promise<string | null> {
  const body = decodeHex(request.content)
  const verdict = verifyMiniseal(nodeRequest(request), { origin, jwks, messageKeys, body, now: () => now })
  return await verdict.then(
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

describe('a request behind the gateway', () => {
  it.each(requests)('$title: $code', async (request) => {
    expect(await codeOf(request)).toBe(request.code)
  })
})
