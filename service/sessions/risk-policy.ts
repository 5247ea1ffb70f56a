/** `MINISEAL_RISK_POLICY`: the decision for each risk rank of a login. */
import type { RiskRank } from '../wechat/client.ts'

/** WeChat's rank, or `unavailable` when WeChat returned none. */
export type LoginRisk = RiskRank | 'unavailable'

/** `step-up`: every request with an effect in the session needs a biometric confirmation. */
export type RiskDecision = 'allow' | 'step-up' | 'refuse'

export type RiskPolicy = Readonly<Record<LoginRisk, RiskDecision>>

const risks: readonly LoginRisk[] = [0, 1, 2, 3, 4, 'unavailable']
const decisions: readonly RiskDecision[] = ['allow', 'step-up', 'refuse']

const form = `MINISEAL_RISK_POLICY must assign one of ${decisions.join(', ')} to each of ${risks.join(', ')}, as in 0=allow,1=allow,…`

/**
 * Parses `0=allow,1=allow,2=allow,3=step-up,4=refuse,unavailable=allow`. There are no defaults.
 *
 * @returns `undefined` when nothing is configured: then no ranks are fetched
 * @throws Error for the operator: a missing, unknown or repeated case, or an unknown decision.
 */
export function parseRiskPolicy(text: string | undefined): RiskPolicy | undefined {
  if (text === undefined) return undefined
  const given = new Map<LoginRisk, RiskDecision>()
  for (const entry of text.split(',')) {
    const [, name = '', word = ''] = /^\s*([0-9a-z]+)=([a-z-]+)\s*$/.exec(entry) ?? []
    const risk = risks.find((known) => String(known) === name)
    const decision = decisions.find((known) => known === word)
    if (risk === undefined || decision === undefined) throw new Error(form)
    if (given.has(risk)) throw new Error(`MINISEAL_RISK_POLICY names ${name} twice`)
    given.set(risk, decision)
  }
  const missing = risks.find((risk) => !given.has(risk))
  if (missing !== undefined) throw new Error(`MINISEAL_RISK_POLICY does not name ${missing}`)
  return Object.fromEntries(given) as RiskPolicy
}
