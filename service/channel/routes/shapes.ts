/** What the inner routes of sessions and devices answer: the code is typed by these, and the OpenAPI document made of them. */
import { z } from 'zod'

/** UNIX seconds. */
const seconds = z.number().int().min(0)

/** Thumbprint of a device key. */
const thumbprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

/** b64u of 16 bytes. */
const sessionId = z.string().regex(/^[A-Za-z0-9_-]{22}$/)

const session = z.strictObject({
  id: sessionId,
  current: z.boolean(),
  device: z.strictObject({
    id: thumbprint,
    name: z.string().nullable(),
    platform: z.string().nullable(),
  }),
  created_at: seconds,
  last_seen_at: seconds,
  expires_at: seconds,
})

export type SessionView = z.infer<typeof session>

export const sessionsReply = z.strictObject({ sessions: z.array(session) })

export const currentSessionReply = z.strictObject({ ...session.shape, user: z.string() })

export const endedReply = z.strictObject({ ended: z.number().int().min(0) })

const token = {
  access_token: z.string(),
  token_type: z.literal('HTTPSig'),
  expires_in: z.number().int().positive(),
  time: seconds,
}

export const tokenReply = z.strictObject(token)

export const loginReply = z.strictObject({
  session: z.strictObject({ id: sessionId, expires_at: seconds }),
  user: z.string(),
  device: z.strictObject({ id: thumbprint, new: z.boolean() }),
  ...token,
})

export const devicesReply = z.strictObject({
  devices: z.array(
    z.strictObject({
      id: thumbprint,
      current: z.boolean(),
      name: z.string().nullable(),
      platform: z.string().nullable(),
      created_at: seconds,
      last_seen_at: seconds,
    }),
  ),
})

export const revokedReply = z.strictObject({ revoked: z.number().int().min(0) })

export const phoneNumberReply = z.strictObject({
  phone_number: z.string(),
  pure_phone_number: z.string(),
  country_code: z.string(),
})
