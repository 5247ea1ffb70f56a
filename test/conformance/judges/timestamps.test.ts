import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { requestTimestamp, TimestampFailed, timestampTime } from '../../../service/tlog/timestamps.ts'
import type { TimeStampingAuthority } from '../../support/time-stamping.ts'
import { startTimeStamping } from '../../support/time-stamping.ts'

const digestOf = (text: string) => new Uint8Array(createHash('sha256').update(text).digest())
const digest = digestOf('a checkpoint')

let authority: TimeStampingAuthority
let honest: TimeStampingAuthority['answer']

beforeAll(async () => {
  authority = await startTimeStamping()
  honest = authority.answer
})
afterAll(() => authority.close())
beforeEach(() => {
  authority.answer = honest
})

/** Has the authority answer with these bytes, made from the query. */
function answerWith(
  make: (query: Buffer) => Buffer,
  type = 'application/timestamp-reply',
  status = 200,
): void {
  authority.answer = (query, _request, response) => {
    response.writeHead(status, { 'content-type': type }).end(make(query))
  }
}

describe('a timestamp', () => {
  it('a timestamp is a token with its certificate that OpenSSL verifies for this digest only', async () => {
    const before = Math.floor(Date.now() / 1000)
    const token = await requestTimestamp(authority.url, digest)
    expect(authority.verifies(token, digest)).toBe(true)
    expect(authority.verifies(token, digestOf('another checkpoint'))).toBe(false)
    expect(timestampTime(token, digest)).toBeGreaterThanOrEqual(before - 1)
    expect(timestampTime(token, digest)).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000) + 1)
  })

  it('a timestamp request follows RFC 3161', async () => {
    let received: { method: string | undefined; type: string | undefined; query: Buffer } | undefined
    authority.answer = (query, request, response) => {
      received = { method: request.method, type: request.headers['content-type'], query }
      honest(query, request, response)
    }
    await requestTimestamp(authority.url, digest)
    expect(received).toMatchObject({ method: 'POST', type: 'application/timestamp-query' })
    expect(received?.query.includes(Buffer.from(digest))).toBe(true)
  })

  it('every timestamp request has a new nonce', async () => {
    const queries: string[] = []
    authority.answer = (query, request, response) => {
      queries.push(query.toString('hex'))
      honest(query, request, response)
    }
    await requestTimestamp(authority.url, digest)
    await requestTimestamp(authority.url, digest)
    expect(queries[0]).not.toBe(queries[1])
    expect(queries[0]).toHaveLength(queries[1]?.length ?? 0)
  })
})

describe('a timestamp that is not accepted', () => {
  const refused = (message: RegExp) =>
    expect(requestTimestamp(authority.url, digest)).rejects.toThrow(
      expect.objectContaining({ name: 'TimestampFailed', message: expect.stringMatching(message) }),
    )

  it('a replayed response is refused: its nonce belongs to another request', async () => {
    let old: Buffer | undefined
    answerWith((query) => {
      old ??= authority.reply(query)
      return old
    })
    await requestTimestamp(authority.url, digest)
    await refused(/another request/)
  })

  it('a token for another digest is refused', async () => {
    answerWith((query) => {
      const position = query.indexOf(Buffer.from(digest))
      const forged = Buffer.from(query)
      forged.set(digestOf('another checkpoint'), position)
      return authority.reply(forged)
    })
    await refused(/another digest/)
  })

  it('a refusal of the authority is an error', async () => {
    answerWith(() => authority.refusal())
    await refused(/refused: status 2/)
  })

  it.each<[string, RegExp, (query: Buffer) => Buffer]>([
    ['empty', /does not conform to RFC 3161/, () => Buffer.alloc(0)],
    ['other bytes', /does not conform to RFC 3161/, () => Buffer.from('hello')],
    ['a granted status without a token', /contains no token/, () => Buffer.from('30053003020100', 'hex')],
    ['a truncated token', /does not conform to RFC 3161/, (query) => authority.reply(query).subarray(0, 500)],
    ['a malformed token', /does not conform to RFC 3161/, () => Buffer.from('300730030201000500', 'hex')],
  ])('a response is refused when it is %s', async (_title, message, make) => {
    answerWith(make)
    await refused(message)
  })

  it('a response with another status or content type is refused', async () => {
    answerWith((query) => authority.reply(query), 'application/timestamp-reply', 503)
    await refused(/status 503/)
    answerWith((query) => authority.reply(query), 'text/html')
    await refused(/status 200/)
  })

  it('a response that is too long is refused', async () => {
    answerWith(() => Buffer.alloc(70_000))
    await refused(/too long/)
  })

  it('an authority that does not respond in time is an error', async () => {
    authority.answer = () => undefined
    await expect(requestTimestamp(authority.url, digest, 200)).rejects.toThrow(/no response in time/)
  })

  it('an unreachable authority is an error', async () => {
    await expect(requestTimestamp('http://127.0.0.1:9/', digest)).rejects.toThrow(TimestampFailed)
  })

  it('requestTimestamp refuses an argument that is not a digest', async () => {
    await expect(requestTimestamp(authority.url, digest.slice(1))).rejects.toThrow(TypeError)
  })
})

describe('timestampTime', () => {
  it('timestampTime refuses tokens of another digest and invalid tokens', async () => {
    const token = await requestTimestamp(authority.url, digest)
    expect(() => timestampTime(token, digestOf('another'))).toThrow(TimestampFailed)
    expect(() => timestampTime(token.slice(0, -100), digest)).toThrow(TimestampFailed)
    expect(() => timestampTime(new Uint8Array(0), digest)).toThrow(TimestampFailed)
  })
})
