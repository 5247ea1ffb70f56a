/** The inner routes for what WeChat knows of the caller: the phone number, and encrypted user data. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { decodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import type { Caller } from '../../gateway/backend.ts'
import { secretContext } from '../../keys/wrapping.ts'
import type { SecretWrapper } from '../../keys/wrapping.ts'
import { parseJsonContent, shapedReply } from '../../messages/json.ts'
import type { Store } from '../../store/store.ts'
import type { UserRecord } from '../../store/users.ts'
import type { WechatClient } from '../../wechat/client.ts'
import { isRawDataSigned, openEncryptedData, userData } from '../../wechat/encrypted-data.ts'
import type { RouteResult } from './sessions.ts'
import { phoneNumberReply } from './shapes.ts'

/** What the handlers look at; none of it writes. */
export interface WechatDataServices {
  readonly store: Pick<Store, 'findUser'>
  readonly wrapper: Pick<SecretWrapper, 'unwrap'>
  readonly wechat: Pick<WechatClient, 'phoneNumber'>
  /** UNIX seconds. */
  readonly now: () => number
}

/** How old encrypted data may be, in seconds: as long as WeChat's codes live. */
const maxDataAge = 300

export const phoneNumberBody = z.strictObject({ code: z.string().min(1).max(512) })

export const encryptedDataBody = z
  .strictObject({
    iv: z.string().length(24),
    data: z.string().min(24),
    raw_data: z.string().optional(),
    signature: z.string().optional(),
  })
  .refine(({ raw_data, signature }) => (raw_data === undefined) === (signature === undefined))
  .meta({ dependentRequired: { raw_data: ['signature'], signature: ['raw_data'] } })

/**
 * Decides `POST /phone-number` and `POST /encrypted-data`; `undefined` when the path is not one of ours.
 *
 * @throws ProtocolError `payload_invalid`; `rate_limited` and `wechat_unavailable` for the phone number; `not_found` for
 *   another method.
 */
export async function handleWechatDataRoute(
  services: WechatDataServices,
  message: RequestMessage,
  caller: Caller,
): Promise<RouteResult | undefined> {
  const [name] = message.path.split('?')
  if (name !== '/phone-number' && name !== '/encrypted-data') return undefined
  if (message.method !== 'POST' || message.path !== name)
    throw new ProtocolError('not_found', 'there is nothing at this path')
  return name === '/phone-number'
    ? await handlePhoneNumber(services, message, caller)
    : await openUserData(services, message, caller)
}

/** The number goes to the caller and, wrapped, into the stored answer: nowhere else, and into no log. */
async function handlePhoneNumber(
  services: WechatDataServices,
  message: RequestMessage,
  caller: Caller,
): Promise<RouteResult> {
  const { code } = parseJsonContent(message, phoneNumberBody)
  const { id, openidWrapped } = await findCaller(services, caller)
  const openid = decodeUtf8(
    services.wrapper.unwrap(openidWrapped, secretContext('users.openid_wrapped', [id])),
  )
  // With the openid WeChat refuses a code that another person's phone was given.
  const number = await services.wechat.phoneNumber(caller.appid, code, openid)
  const { phoneNumber, purePhoneNumber, countryCode } = number
  const body = { phone_number: phoneNumber, pure_phone_number: purePhoneNumber, country_code: countryCode }
  return { reply: shapedReply(phoneNumberReply, 200, body), writes: [] }
}

async function openUserData(
  services: WechatDataServices,
  message: RequestMessage,
  caller: Caller,
): Promise<RouteResult> {
  const { iv, data, raw_data: rawData, signature } = parseJsonContent(message, encryptedDataBody)
  const { id, sessionKeyWrapped } = await findCaller(services, caller)
  const binding = secretContext('users.session_key_wrapped', [id])
  const sessionKey = decodeUtf8(services.wrapper.unwrap(sessionKeyWrapped, binding))
  if (rawData !== undefined && !isRawDataSigned(sessionKey, rawData, signature ?? ''))
    throw new ProtocolError('payload_invalid', 'the signature does not fit raw_data')
  const { appid } = caller
  const opened = openEncryptedData({ sessionKey, iv, data, appid, maxAge: maxDataAge, now: services.now() })
  return { reply: shapedReply(userData, 200, opened), writes: [] }
}

async function findCaller({ store }: WechatDataServices, { user }: Caller): Promise<UserRecord> {
  const found = await store.findUser(user)
  if (found === undefined) throw new Error('the user of an active session is not there')
  return found
}
