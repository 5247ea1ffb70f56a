/** Phone numbers: `wxa/business/getuserphonenumber`. */
import { ProtocolError } from 'miniseal-protocol/errors'
import type { AuthorizedCaller } from './authorized.ts'
import { phoneNumberApi, refuseFailure } from './errcodes.ts'
import { isCode } from './login.ts'
import { phoneNumberReply } from './replies.ts'
import type { WechatRequest } from './transport.ts'

export interface WechatPhoneNumber {
  /** With the country code when it is not a Chinese number. */
  readonly phoneNumber: string
  readonly purePhoneNumber: string
  readonly countryCode: string
}

/** The number behind a phone number button's code, which is attacker-controlled. */
export async function exchangePhoneCode(
  authorized: AuthorizedCaller,
  appid: string,
  code: string,
  openid: string | undefined,
): Promise<WechatPhoneNumber> {
  if (!isCode(code)) throw new ProtocolError('payload_invalid', 'the code is empty or too long')
  const body = { code, ...(openid !== undefined && { openid }) }
  const request: WechatRequest = { method: 'POST', api: phoneNumberApi, body }
  const reply = await refuseFailure(request.api, () => authorized.call(appid, request, phoneNumberReply))
  const { watermark, ...number } = reply.phone_info
  if (watermark.appid !== appid) {
    throw new ProtocolError('payload_invalid', 'the phone number was given to another app')
  }
  return number
}
