/** What a login gets for its risk: `MINISEAL_RISK_POLICY`. */
import type { RiskRank } from '../wechat/client.ts'

/** What is known of a login's risk: WeChat's rank, or that WeChat did not say. */
export type LoginRisk = RiskRank | 'unavailable'

/** `step-up`: a session in which everything that has an effect is confirmed by finger or face. */
export type RiskDecision = 'allow' | 'step-up' | 'refuse'

export type RiskPolicy = Readonly<Record<LoginRisk, RiskDecision>>

const names: readonly LoginRisk[] = [0, 1, 2, 3, 4, 'unavailable']
const decisions: readonly RiskDecision[] = ['allow', 'step-up', 'refuse']

const form = `MINISEAL_RISK_POLICY must be a comma list that gives each of ${names.join(', ')} one of ${decisions.join(', ')}: 0=allow,…`

/**
 * Reads `0=allow,1=allow,2=allow,3=step-up,4=refuse,unavailable=allow`. Every case is named: none is decided by a
 * default that nobody has read.
 *
 * @returns `undefined` when nothing is configured: WeChat is not asked then
 * @throws Error for the operator: a case that is missing, unknown or named twice, or another decision.
 */
export function parseRiskPolicy(text: string | undefined): RiskPolicy | undefined {
  if (text === undefined) return undefined
  const given = new Map<LoginRisk, RiskDecision>()
  for (const entry of text.split(',')) {
    const [, name = '', word = ''] = /^\s*([0-9a-z]+)=([a-z-]+)\s*$/.exec(entry) ?? []
    const risk = names.find((known) => String(known) === name)
    const decision = decisions.find((known) => known === word)
    if (risk === undefined || decision === undefined) throw new Error(form)
    if (given.has(risk)) throw new Error(`MINISEAL_RISK_POLICY names ${name} twice`)
    given.set(risk, decision)
  }
  const decisionOf = (risk: LoginRisk): RiskDecision => {
    const decision = given.get(risk)
    if (decision === undefined) throw new Error(`MINISEAL_RISK_POLICY does not name ${risk}`)
    return decision
  }
  return {
    0: decisionOf(0),
    1: decisionOf(1),
    2: decisionOf(2),
    3: decisionOf(3),
    4: decisionOf(4),
    unavailable: decisionOf('unavailable'),
  }
}
