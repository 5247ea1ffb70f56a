/** Timestamps one checkpoint a day through a time-stamping authority (RFC 3161). */

import { randomBytes } from 'node:crypto'
import { ContentInfo, id_signedData, SignedData } from '@peculiar/asn1-cms'
import { AsnConvert, AsnProp, AsnPropTypes, AsnType, AsnTypeTypes, OctetString } from '@peculiar/asn1-schema'
import {
  id_ct_tstInfo,
  MessageImprint,
  PKIStatus,
  PKIStatusInfo,
  TimeStampReq,
  TimeStampReqVersion,
  TSTInfo,
} from '@peculiar/asn1-tsp'
import { equalBytes } from 'miniseal-protocol/bytes'
import { encodeUtf8 } from 'miniseal-protocol/text'
import { parseNote } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Store } from '../store/store.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { startLoop } from './loop.ts'
import type { LogReader } from './reader.ts'

/** Seconds between tokens. */
const stampPeriod = 86_400

/** Milliseconds between two polls, and after a failure. */
const pollPeriod = 300_000

export interface TimestampingOptions {
  readonly store: Store
  readonly reader: LogReader
  /** The URL of the timestamp authority; `undefined`: none. */
  readonly timestampUrl: string | undefined
  /** UNIX seconds. */
  readonly now: () => number
  /** Milliseconds between two runs. */
  readonly pause: number
  /** Called after each failed attempt; retried after the poll period. */
  readonly onFailure: (error: unknown) => void
}

export interface Timestamping {
  /** A checkpoint was signed. Never throws. */
  notify(): void
  stop(): Promise<void>
}

/** Requests a token for the newest checkpoint whenever the last token is a day old. */
export function startTimestamping(options: TimestampingOptions): Timestamping {
  const { timestampUrl: url, now, pause, onFailure } = options
  if (url === undefined) return { notify: () => {}, stop: async () => {} }
  let failedAt = Number.NEGATIVE_INFINITY
  const work = async (): Promise<void> => {
    // Checkpoints are signed each second; a failing authority gets one request in each poll period.
    if (performance.now() < failedAt + pollPeriod) return
    try {
      await stampWhenDue(options, url, now())
    } catch (error) {
      failedAt = performance.now()
      onFailure(error)
    }
  }
  return startLoop(work, { pause, period: pollPeriod })
}

/** The token covers the text of the note. If several processes request one, the first token is stored. */
async function stampWhenDue({ store, reader }: TimestampingOptions, url: string, now: number): Promise<void> {
  const last = await store.findLastTimestamped()
  if (last !== undefined && last + stampPeriod > now) return
  const checkpoint = await reader.latestCheckpoint()
  if (checkpoint === undefined || checkpoint.timestampToken !== null) return
  const { log, size, note } = checkpoint
  const token = await requestTimestamp(url, sodiumPrimitives.sha256(encodeUtf8(parseNote(note).text)))
  await store.commit([{ kind: 'set-timestamp', log, size, token }])
}

// The token is stored as received. Digest and nonce are checked here. The signature is not: verifiers check it with the
// authority's certificate (`openssl ts -verify`).

const sha256Oid = '2.16.840.1.101.3.4.2.1'
const digestLength = 32
const nonceLength = 16
/** Milliseconds for the whole exchange. */
const defaultDeadline = 10_000
/** Bytes; a token with its certificates has a few thousand. */
const maxLength = 65_536

/** No timestamp was obtained. The message is short and safe to store. */
export class TimestampFailed extends Error {
  override readonly name = 'TimestampFailed'
}

/** TimeStampResp with the token as received bytes, which the signature covers. */
class Answer {
  status = new PKIStatusInfo()
  token?: ArrayBuffer
}
AsnType({ type: AsnTypeTypes.Sequence })(Answer)
AsnProp({ type: PKIStatusInfo })(Answer.prototype, 'status')
AsnProp({ type: AsnPropTypes.Any, optional: true })(Answer.prototype, 'token')

/**
 * Requests a timestamp of a digest from an authority.
 *
 * @param url of the authority, http or https
 * @param digest SHA-256, 32 bytes: of a checkpoint's note text
 * @param deadline milliseconds for the whole exchange
 * @returns the token, DER.
 * @throws TimestampFailed without a response in time that is a timestamp of this digest for this request
 */
export async function requestTimestamp(
  url: string,
  digest: Uint8Array,
  deadline = defaultDeadline,
): Promise<Uint8Array> {
  if (digest.length !== digestLength) throw new TypeError('a SHA-256 digest has 32 bytes')
  const nonce = positiveInteger()
  const answer = parse(await post(url, encodeRequest(digest, nonce), deadline), Answer)
  const { status } = answer.status
  if (status !== PKIStatus.granted && status !== PKIStatus.grantedWithMods)
    throw new TimestampFailed(`the authority refused: status ${Number(status)}`)
  if (answer.token === undefined) throw new TimestampFailed('the response contains no token')
  const token = new Uint8Array(answer.token)
  const { nonce: answered } = readToken(token, digest)
  if (answered === undefined || !equalBytes(new Uint8Array(answered), nonce))
    throw new TimestampFailed('the token is for another request')
  return token
}

/**
 * The time that a token states, in UNIX seconds. The signature of the authority is not verified.
 *
 * @param token attacker-controlled
 * @throws TimestampFailed for anything but a token of this digest
 */
export function timestampTime(token: Uint8Array, digest: Uint8Array): number {
  return Math.floor(readToken(token, digest).genTime.getTime() / 1000)
}

function encodeRequest(digest: Uint8Array, nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  const messageImprint = new MessageImprint({ hashedMessage: new OctetString(digest) })
  messageImprint.hashAlgorithm.algorithm = sha256Oid
  const version = TimeStampReqVersion.v1
  // With the certificate, the token can be verified after the authority has closed.
  const query = new TimeStampReq({ version, messageImprint, nonce: bufferOf(nonce), certReq: true })
  return new Uint8Array(AsnConvert.serialize(query))
}

/** A positive INTEGER of 16 bytes without a leading zero byte: its DER encoding is unique. */
function positiveInteger(): Uint8Array {
  const bytes = new Uint8Array(randomBytes(nonceLength))
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes
}

async function post(url: string, body: Uint8Array<ArrayBuffer>, deadline: number): Promise<Uint8Array> {
  const { status, type, bytes } = await boundedFetch(
    url,
    {
      method: 'POST',
      headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
      body,
      deadline,
      maxLength,
    },
    (reason) => new TimestampFailed(reason),
  )
  if (status !== 200 || type !== 'application/timestamp-reply')
    throw new TimestampFailed(`no timestamp in a response with status ${status}`)
  return bytes
}

function readToken(token: Uint8Array, digest: Uint8Array): TSTInfo {
  const content = parse(token, ContentInfo)
  if (content.contentType !== id_signedData) throw new TimestampFailed('the token is not signed data')
  const { encapContentInfo } = parse(new Uint8Array(content.content), SignedData)
  const info = encapContentInfo.eContent?.single
  if (encapContentInfo.eContentType !== id_ct_tstInfo || info === undefined)
    throw new TimestampFailed('the token is not a timestamp')
  const stated = parse(new Uint8Array(info.buffer), TSTInfo)
  const { hashAlgorithm, hashedMessage } = stated.messageImprint
  if (hashAlgorithm.algorithm !== sha256Oid || !equalBytes(new Uint8Array(hashedMessage.buffer), digest))
    throw new TimestampFailed('the token is of another digest')
  return stated
}

function parse<T>(bytes: Uint8Array, type: new () => T): T {
  try {
    return AsnConvert.parse(bytes, type)
  } catch {
    throw new TimestampFailed('the response does not conform to RFC 3161')
  }
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
