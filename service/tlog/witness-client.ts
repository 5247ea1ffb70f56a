/** Asking a witness to cosign a checkpoint (C2SP tlog-witness, `add-checkpoint`). */

import { encodeBase64 } from 'miniseal-protocol/text'
import { parseDecimal } from 'miniseal-protocol/tlog/checkpoint'

/** What a witness is asked to believe: that the checkpoint continues the one it saw last. */
export interface WitnessRequest {
  /** The size of that one; 0 for a witness that knows nothing of the log. */
  readonly old: number
  /** From `old` to the checkpoint's size; at most 63 hashes. */
  readonly proof: readonly Uint8Array[]
  /** The signed note. */
  readonly note: string
}

export type WitnessAnswer =
  /** Signature lines, not verified. */
  | { readonly kind: 'cosigned'; readonly lines: string }
  /** The witness saw this size last, and not `old`. */
  | { readonly kind: 'conflict'; readonly size: number }

/** A witness that does not do its part; the message is short and safe to keep. */
export class WitnessFailed extends Error {
  override readonly name = 'WitnessFailed'
}

/** Milliseconds for the whole exchange. */
const timeout = 10_000
/** Bytes of an answer: a few lines are expected. */
const maxAnswerLength = 65_536

/**
 * Sends the request. Everything that comes back is attacker-controlled.
 *
 * @param url the witness's submission prefix
 * @throws WitnessFailed when there is no answer in time, or one that the protocol does not have.
 */
export async function requestWitnessCosignature(
  url: string,
  { old, proof, note }: WitnessRequest,
): Promise<WitnessAnswer> {
  const lines = [`old ${old}`, ...proof.map(encodeBase64), '', note]
  const { status, type, text } = await post(`${url.replace(/\/+$/, '')}/add-checkpoint`, lines.join('\n'))
  if (status === 200) return { kind: 'cosigned', lines: text }
  if (status !== 409 || type !== 'text/x.tlog.size') throw new WitnessFailed(`status ${status}`)
  try {
    return { kind: 'conflict', size: parseDecimal(text.replace(/\n$/, '')) }
  } catch {
    throw new WitnessFailed('status 409 without a size')
  }
}

interface Answered {
  readonly status: number
  readonly type: string
  readonly text: string
}

async function post(url: string, body: string): Promise<Answered> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(timeout),
    })
    const type = (response.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? ''
    return { status: response.status, type, text: await readBounded(response) }
  } catch (error) {
    if (error instanceof WitnessFailed) throw error
    throw new WitnessFailed(
      error instanceof Error && error.name === 'TimeoutError' ? 'no answer in time' : 'no answer',
    )
  }
}

async function readBounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > maxAnswerLength) throw new WitnessFailed('the answer is too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
