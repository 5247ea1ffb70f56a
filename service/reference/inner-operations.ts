/** The inner routes that are the service's own, with the very shapes that its handlers read and write by. */
import type { ZodType } from 'zod'
import { loginBody } from '../channel/login.ts'
import { cancelReply, outcomeReply } from '../channel/outcomes.ts'
import { nameBody } from '../channel/routes/devices.ts'
import { eventsReply, subscriptionBody, subscriptionReply } from '../channel/routes/events.ts'
import {
  currentSessionReply,
  devicesReply,
  endedReply,
  loginReply,
  phoneNumberReply,
  revokedReply,
  sessionsReply,
  tokenReply,
} from '../channel/routes/shapes.ts'
import { encryptedDataBody, phoneNumberBody } from '../channel/routes/wechat-data.ts'
import { pendingReceipt, provedReceipt } from '../tlog/receipts.ts'
import { userData } from '../wechat/encrypted-data.ts'

export interface Operation {
  readonly id: string
  readonly method: 'get' | 'post' | 'put' | 'delete'
  readonly path: string
  readonly tag: 'sessions' | 'devices' | 'events' | 'receipts' | 'outcomes' | 'wechat'
  readonly summary: string
  readonly description?: string
  readonly body?: ZodType
  /** What each status says; `undefined`: nothing. */
  readonly replies: Readonly<Record<number, ZodType | undefined>>
  readonly query?: readonly QueryParameter[]
  /** What the path names. */
  readonly named?: string
  /** The login needs no token and no idempotency key. */
  readonly isLogin?: true
  /** It has no effect that a repetition would have again. */
  readonly needsNoKey?: true
}

export interface QueryParameter {
  readonly name: string
  readonly description: string
  readonly minimum: number
  readonly maximum: number
  readonly default: number
}

const namedKey = 'The Idempotency-Key, without its quotes: its ASCII bytes in base64url without padding.'

export const operations: readonly Operation[] = [
  {
    id: 'logIn',
    method: 'post',
    path: '/sessions',
    tag: 'sessions',
    summary: 'Log in: a WeChat code and a device key become a session',
    description:
      'Travels in a handshake frame (0x01) and is signed with the new device key that its body names. The code reaches WeChat at most once.',
    body: loginBody,
    replies: { 201: loginReply },
    isLogin: true,
  },
  {
    id: 'listSessions',
    method: 'get',
    path: '/sessions',
    tag: 'sessions',
    summary: 'The user’s sessions that are in use',
    replies: { 200: sessionsReply },
  },
  {
    id: 'endOtherSessions',
    method: 'delete',
    path: '/sessions',
    tag: 'sessions',
    summary: 'End every session of the user but this one',
    replies: { 200: endedReply },
  },
  {
    id: 'currentSession',
    method: 'get',
    path: '/sessions/current',
    tag: 'sessions',
    summary: 'This session, and the user’s pseudonym',
    replies: { 200: currentSessionReply },
  },
  {
    id: 'logOut',
    method: 'delete',
    path: '/sessions/current',
    tag: 'sessions',
    summary: 'End this session',
    replies: { 204: undefined },
  },
  {
    id: 'renewToken',
    method: 'post',
    path: '/sessions/current/token',
    tag: 'sessions',
    summary: 'The next access token',
    description: 'The one route that takes an access token past its end.',
    replies: { 201: tokenReply },
  },
  {
    id: 'endSession',
    method: 'delete',
    path: '/sessions/{id}',
    tag: 'sessions',
    summary: 'End a session of the user, with the next request of that device',
    named: 'The session’s id.',
    replies: { 204: undefined },
  },
  {
    id: 'listDevices',
    method: 'get',
    path: '/devices',
    tag: 'devices',
    summary: 'The user’s devices that are in use',
    replies: { 200: devicesReply },
  },
  {
    id: 'revokeOtherDevices',
    method: 'delete',
    path: '/devices',
    tag: 'devices',
    summary: 'Revoke every device of the user but this one',
    replies: { 200: revokedReply },
  },
  {
    id: 'nameDevice',
    method: 'put',
    path: '/devices/{id}',
    tag: 'devices',
    summary: 'Name a device',
    named: 'The device’s id: the thumbprint of its key.',
    body: nameBody,
    replies: { 204: undefined },
  },
  {
    id: 'revokeDevice',
    method: 'delete',
    path: '/devices/{id}',
    tag: 'devices',
    summary: 'Revoke a device for ever, and end its sessions',
    named: 'The device’s id: the thumbprint of its key.',
    replies: { 204: undefined },
  },
  {
    id: 'listEvents',
    method: 'get',
    path: '/events',
    tag: 'events',
    summary: 'Events for the user, in order and without gaps',
    query: [
      {
        name: 'after',
        description: 'The last number that the client has.',
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        default: 0,
      },
      { name: 'limit', description: 'Events of one page.', minimum: 1, maximum: 100, default: 100 },
    ],
    replies: { 200: eventsReply },
  },
  {
    id: 'subscribe',
    method: 'post',
    path: '/events/subscription',
    tag: 'events',
    summary: 'Have events sent over this socket, from one number on',
    description: 'Over a socket only: the events follow in frames 0x05.',
    body: subscriptionBody,
    replies: { 200: subscriptionReply },
    needsNoKey: true,
  },
  {
    id: 'readReceipt',
    method: 'get',
    path: '/receipts/{id}',
    tag: 'receipts',
    summary: 'What the audit log says of one of the user’s own requests, with its proof',
    named: 'The entry’s UUID, or b64u of the leaf hash in the field miniseal-receipt of the answer.',
    replies: { 200: provedReceipt, 202: pendingReceipt },
  },
  {
    id: 'readOutcome',
    method: 'get',
    path: '/outcomes/{key}',
    tag: 'outcomes',
    summary: 'What came of the user’s request with an Idempotency-Key',
    description:
      'Counts for a limit of its own. An answer that belongs to another session, or is over half a frame, is left out.',
    named: namedKey,
    replies: { 200: outcomeReply },
  },
  {
    id: 'cancelRequest',
    method: 'delete',
    path: '/outcomes/{key}',
    tag: 'outcomes',
    summary: 'Make sure that no request with an Idempotency-Key runs, or learn that one did',
    description:
      'Durable before it is answered: a request with the key that comes later is refused as `request_cancelled`. While one runs, or nobody knows what came of it: `idempotency_in_progress`. Counts for a limit of its own, and never needs a step-up.',
    named: namedKey,
    replies: { 200: cancelReply },
    needsNoKey: true,
  },
  {
    id: 'tellPhoneNumber',
    method: 'post',
    path: '/phone-number',
    tag: 'wechat',
    summary: 'The phone number behind the code of WeChat’s phone number button',
    body: phoneNumberBody,
    replies: { 200: phoneNumberReply },
  },
  {
    id: 'openEncryptedData',
    method: 'post',
    path: '/encrypted-data',
    tag: 'wechat',
    summary: 'What encryptedData of WeChat’s app says',
    body: encryptedDataBody,
    replies: { 200: userData },
  },
]
