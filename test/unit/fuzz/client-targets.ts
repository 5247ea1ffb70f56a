/** Inputs of the mini program: signed responses, unencrypted responses of any origin, and frames through cloud hosting. */
import { FormatError } from '../../../crypto/errors.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { encodeVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { ChannelError } from '../../../miniprogram/client/errors.ts'
import { parseEvent, parseEventList, parseEventPosition } from '../../../miniprogram/client/event-stream.ts'
import { clearAnswerError, findRefusal } from '../../../miniprogram/client/problem.ts'
import { verifyReceipt } from '../../../miniprogram/client/receipt.ts'
import { parseLoginAnswer, parseTokenAnswer } from '../../../miniprogram/client/session.ts'
import { parseDeviceList, parseSessionList } from '../../../miniprogram/client/session-list.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { device } from '../crypto/fixed-inputs.ts'
import { checkpointOf } from '../crypto/fixed-log.ts'
import { logKey } from '../crypto/note-inputs.ts'
import { Broken, binaryTarget, type Target } from './target.ts'

const json = (value: unknown): Uint8Array => encodeUtf8(JSON.stringify(value))
const channel = [ChannelError]
const event = { type: 'chat-message', data: { text: 'a' }, time: 1764000000 }
const login = {
  session: { id: 'AAAAAAAAAAAAAAAAAAAAAA', expires_at: 1764000000 },
  user: 'u_1',
  device: { id: device.keyid, new: true },
  access_token: 'a.b.c',
  token_type: 'HTTPSig',
  expires_in: 600,
  time: 1764000000,
}
const problem = { code: 'unknown_session', status: 401, retryable: false, time: 1, detail: 'x' }
const group = { salt: 'AAAA', value: '{"a":1}' }
const receipt = {
  leaf: 'e30=',
  groups: { core: group },
  index: 0,
  size: 1,
  proof: ['AAAA'],
  checkpoint: checkpointOf(1),
}
const id = 'A'.repeat(43)

export const clientTargets: readonly Target[] = [
  binaryTarget('event-frame', [FormatError], [json(event)], (bytes) =>
    parseEvent({ sequence: 1, event: bytes }),
  ),
  binaryTarget(
    'event-list',
    channel,
    [json({ from: 1, last: 1, events: [{ ...event, sequence: 1 }] })],
    parseEventList,
  ),
  binaryTarget('event-position', channel, [json({ from: 1, last: 2 })], parseEventPosition),
  binaryTarget('login-answer', channel, [json(login)], (bytes) => parseLoginAnswer(bytes, device as never)),
  binaryTarget('token-answer', channel, [json(login)], parseTokenAnswer),
  binaryTarget(
    'session-list',
    channel,
    [
      json({
        sessions: [{ id, device: { id }, created_at: 1, last_seen_at: 1, expires_at: 2, current: true }],
      }),
    ],
    parseSessionList,
  ),
  binaryTarget(
    'device-list',
    channel,
    [json({ devices: [{ id, current: true, created_at: 1, last_seen_at: 1 }] })],
    parseDeviceList,
  ),
  binaryTarget('receipt-answer', channel, [json(receipt)], (bytes) =>
    verifyReceipt(primitives, id, bytes, { vkey: encodeVerifierKey(primitives, logKey) }),
  ),
  binaryTarget('clear-answer', [], [json(problem), json({ ...problem, code: 'replayed' })], (body) => {
    const headers = { 'content-type': 'application/problem+json', 'retry-after': '3' }
    const error = clearAnswerError({ status: 401, headers, body })
    if (error.outcome === 'refused') throw new Broken('an answer in the clear was believed')
  }),
  binaryTarget(
    'refusal',
    [],
    [json(problem), json({ ...problem, code: 'idempotency_in_progress', outcome: 'unknown' })],
    (content) =>
      findRefusal({ status: 409, fields: [['content-type', 'application/problem+json']], content }, true, 0),
  ),
]
