/** The risk of a login: what WeChat says of the user, and what the operator's policy makes of it. */
import { ProtocolError } from 'miniseal-protocol/errors'
import { addressOf } from '../limits/client-address.ts'
import type { LoginRisk } from '../sessions/risk-policy.ts'
import type { WechatIdentity } from '../wechat/client.ts'
import type { ExchangeContext } from './context.ts'
import type { OpenedHandshake } from './open.ts'

/**
 * Exchanges the login code. That WeChat blocks a user as high-risk (40226) is noted: there is no rank then, and nothing
 * to decide, since without an openid there is nobody to sign in.
 *
 * @throws ProtocolError as {@link WechatClient.exchangeCode} does.
 */
export async function identify(
  { wechat }: ExchangeContext,
  { notes }: OpenedHandshake,
  { appid, code }: { readonly appid: string; readonly code: string },
): Promise<WechatIdentity> {
  try {
    return await wechat.exchangeCode(appid, code)
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'login_blocked') notes.risk = 'blocked'
    throw error
  }
}

/**
 * Asks WeChat for the user's rank and decides. Without a policy nothing is asked.
 *
 * @returns what the session requires for every request that may have an effect
 * @throws ProtocolError `login_blocked` when the policy refuses the rank; `wechat_unavailable` when it refuses to do
 *   without one.
 */
export async function assessRisk(
  context: ExchangeContext,
  { notes, source }: OpenedHandshake,
  appid: string,
  { openid }: WechatIdentity,
): Promise<'soter' | null> {
  const { riskPolicy } = context
  if (riskPolicy === undefined) return null
  const risk = await riskOf(context, appid, openid, source)
  notes.risk = risk
  switch (riskPolicy[risk]) {
    case 'allow':
      return null
    case 'step-up':
      return 'soter'
    case 'refuse':
      // Nobody has called this user risky: worth trying again.
      if (risk === 'unavailable')
        throw new ProtocolError('wechat_unavailable', 'wechat does not say how risky the login is')
      // No rank in the words: who tries to look harmless must not see how near it is.
      throw new ProtocolError('login_blocked', 'the login is refused as high-risk')
  }
}

/** Whatever keeps WeChat from saying a rank is one case, which the policy names. */
async function riskOf(
  { wechat }: ExchangeContext,
  appid: string,
  openid: string,
  source: string,
): Promise<LoginRisk> {
  const address = addressOf(source)
  if (address === undefined) return 'unavailable'
  try {
    return await wechat.riskRank(appid, openid, address)
  } catch (error) {
    // Its errcode and rid are in the log line of the call.
    if (error instanceof ProtocolError) return 'unavailable'
    throw error
  }
}
