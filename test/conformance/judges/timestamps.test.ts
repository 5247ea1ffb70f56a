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
  it('is a token that openssl verifies, for this digest and no other, with its certificate inside', async () => {
    const before = Math.floor(Date.now() / 1000)
    const token = await requestTimestamp(authority.url, digest)
    expect(authority.verifies(token, digest)).toBe(true)
    expect(authority.verifies(token, digestOf('another checkpoint'))).toBe(false)
    expect(timestampTime(token, digest)).toBeGreaterThanOrEqual(before - 1)
    expect(timestampTime(token, digest)).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000) + 1)
  })

  it('is asked for as RFC 3161 says', async () => {
    let asked: { method: string | undefined; type: string | undefined; query: Buffer } | undefined
    authority.answer = (query, request, response) => {
      asked = { method: request.method, type: request.headers['content-type'], query }
      honest(query, request, response)
    }
    await requestTimestamp(authority.url, digest)
    expect(asked).toMatchObject({ method: 'POST', type: 'application/timestamp-query' })
    expect(asked?.query.includes(Buffer.from(digest))).toBe(true)
  })

  it('is asked for with another nonce each time', async () => {
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

describe('no timestamp is accepted', () => {
  const refused = (message: RegExp) =>
    expect(requestTimestamp(authority.url, digest)).rejects.toThrow(
      expect.objectContaining({ name: 'TimestampFailed', message: expect.stringMatching(message) }),
    )

  it('an old response gives no timestamp: its nonce is of another request', async () => {
    let old: Buffer | undefined
    answerWith((query) => {
      old ??= authority.reply(query)
      return old
    })
    await requestTimestamp(authority.url, digest)
    await refused(/another request/)
  })

  it('from a token for another digest', async () => {
    answerWith((query) => {
      const position = query.indexOf(Buffer.from(digest))
      const forged = Buffer.from(query)
      forged.set(digestOf('another checkpoint'), position)
      return authority.reply(forged)
    })
    await refused(/another digest/)
  })

  it('from a refusal', async () => {
    answerWith(() => authority.refusal())
    await refused(/refuses: status 2/)
  })

  it.each<[string, RegExp, (query: Buffer) => Buffer]>([
    ['an empty answer', /not what RFC 3161 says/, () => Buffer.alloc(0)],
    ['something else', /not what RFC 3161 says/, () => Buffer.from('hello')],
    ['a status of granted without a token', /holds no token/, () => Buffer.from('30053003020100', 'hex')],
    ['a token that is cut off', /not what RFC 3161 says/, (query) => authority.reply(query).subarray(0, 500)],
    ['a token that is no token', /not what RFC 3161 says/, () => Buffer.from('300730030201000500', 'hex')],
  ])('from %s', async (_title, message, make) => {
    answerWith(make)
    await refused(message)
  })

  it('from another status or content type', async () => {
    answerWith((query) => authority.reply(query), 'application/timestamp-reply', 503)
    await refused(/status 503/)
    answerWith((query) => authority.reply(query), 'text/html')
    await refused(/status 200/)
  })

  it('from an answer that has no end', async () => {
    answerWith(() => Buffer.alloc(70_000))
    await refused(/no answer/)
  })

  it('from an authority that does not answer in time', async () => {
    authority.answer = () => undefined
    await expect(requestTimestamp(authority.url, digest, 200)).rejects.toThrow(/no answer in time/)
  })

  it('from an authority that is not there', async () => {
    await expect(requestTimestamp('http://127.0.0.1:9/', digest)).rejects.toThrow(TimestampFailed)
  })

  it('for something that is not a digest', async () => {
    await expect(requestTimestamp(authority.url, digest.slice(1))).rejects.toThrow(TypeError)
  })
})

describe('timestampTime', () => {
  it('refuses tokens of another digest, and what is no token', async () => {
    const token = await requestTimestamp(authority.url, digest)
    expect(() => timestampTime(token, digestOf('another'))).toThrow(TimestampFailed)
    expect(() => timestampTime(token.slice(0, -100), digest)).toThrow(TimestampFailed)
    expect(() => timestampTime(new Uint8Array(0), digest)).toThrow(TimestampFailed)
  })
})
