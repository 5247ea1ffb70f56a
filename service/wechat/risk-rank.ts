/** How risky WeChat takes a user to be: `wxa/getuserriskrank`. */
import type { AuthorizedCaller } from './authorized.ts'
import { refuseFailure } from './errcodes.ts'
import { riskRankReply } from './replies.ts'
import type { WechatRequest } from './transport.ts'

/** 0: no risk found; 4: the highest. */
export type RiskRank = 0 | 1 | 2 | 3 | 4

/** The scenes of the page: 0 sign-up, 1 marketing abuse, 2 users' own content. A login is nearest to the first. */
const scene = 0

/** WeChat's rank of a user who comes from this address. The optional parameters tell more of a person than is needed. */
export async function fetchRiskRank(
  authorized: AuthorizedCaller,
  appid: string,
  openid: string,
  clientIp: string,
): Promise<RiskRank> {
  const body = { appid, openid, scene, client_ip: clientIp }
  const request: WechatRequest = { method: 'POST', api: 'wxa/getuserriskrank', body }
  const { risk_rank } = await refuseFailure(request.api, () => authorized.call(appid, request, riskRankReply))
  return risk_rank
}
