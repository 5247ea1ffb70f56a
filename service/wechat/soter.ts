/** Biometric confirmations: `cgi-bin/soter/verify_signature`. */
import type { AuthorizedCaller } from './authorized.ts'
import { refuseFailure } from './errcodes.ts'
import { soterReply } from './replies.ts'
import type { WechatRequest } from './transport.ts'

/** A real result holds a challenge of at most 512 characters and a few names; a signature is a few hundred. */
const maxResultJsonLength = 16_384
const maxSignatureLength = 4096

/**
 * True only for errcode 0 (or none) together with `is_ok: true`. `resultJson` and `signature` are
 * attacker-controlled; what is too long to be a device's is false without asking.
 */
export async function verifySoter(
  authorized: AuthorizedCaller,
  appid: string,
  openid: string,
  resultJson: string,
  signature: string,
): Promise<boolean> {
  if (resultJson.length > maxResultJsonLength || signature.length > maxSignatureLength) return false
  const body = { openid, json_string: resultJson, json_signature: signature }
  const request: WechatRequest = { method: 'POST', api: 'cgi-bin/soter/verify_signature', body }
  const reply = await refuseFailure(request.api, () => authorized.call(appid, request, soterReply))
  return reply.is_ok
}
