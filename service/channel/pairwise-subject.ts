/** Who a person is to everybody but WeChat. */
import { createHmac } from 'node:crypto'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { ExchangeContext } from './context.ts'

/** The pseudonymous subject: the same for every login of a person in one app, and nothing to anybody without our key. */
export function pairwiseSubject(
  context: ExchangeContext,
  appid: string,
  openid: string,
  now: number,
): string {
  const { secretKey } = context.keyring.current('lookup', now)
  const digest = createHmac('sha256', secretKey).update(`${appid}\n${openid}`, 'utf8').digest()
  return `u_${encodeBase64Url(new Uint8Array(digest.subarray(0, 18)))}`
}
