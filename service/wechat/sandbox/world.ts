/** All that one running sandbox knows. */
import type { WechatApp } from '../client.ts'
import type { Random } from './answers.ts'
import { createFaults, type Faults } from './faults.ts'
import { createIssuedTokens, type IssuedTokens } from './issued-tokens.ts'
import { createRiskRanks, type RiskRanks } from './risk-ranks.ts'
import { createSingleUseCodes, type SingleUseCodes } from './single-use-codes.ts'
import { createSoterDevices, type SoterDevices } from './soter-devices.ts'
import { createUsers, type Users } from './users.ts'

/** Whom a code stands for. */
interface AppUser {
  readonly appid: string
  readonly openid: string
}

export interface SandboxState {
  readonly apps: ReadonlyMap<string, WechatApp>
  /** Unix seconds. */
  readonly now: () => number
  readonly random: Random
  readonly users: Users
  readonly loginCodes: SingleUseCodes<AppUser>
  readonly phoneCodes: SingleUseCodes<AppUser>
  readonly tokens: IssuedTokens
  readonly soter: SoterDevices
  readonly riskRanks: RiskRanks
  readonly faults: Faults
}

/** The paths of WeChat's API that the sandbox answers. */
export const apiPaths = [
  'sns/jscode2session',
  'cgi-bin/stable_token',
  'wxa/checksession',
  'cgi-bin/soter/verify_signature',
  'wxa/business/getuserphonenumber',
  'wxa/getuserriskrank',
] as const

export type ApiPath = (typeof apiPaths)[number]

/** A world in which nothing has happened yet. */
export function createSandboxState(
  apps: readonly WechatApp[],
  now: () => number,
  random: Random,
): SandboxState {
  return {
    apps: new Map(apps.map((app) => [app.appid, app])),
    now,
    random,
    users: createUsers(now, random),
    loginCodes: createSingleUseCodes(now, random),
    phoneCodes: createSingleUseCodes(now, random),
    tokens: createIssuedTokens(now, random),
    soter: createSoterDevices(),
    riskRanks: createRiskRanks(now),
    faults: createFaults(apiPaths),
  }
}
