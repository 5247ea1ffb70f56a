/** The state of one running sandbox, in memory. */
import type { WechatApp } from '../client.ts'
import type { IssuedTokens, Random, SingleUseCodes } from './credentials.ts'
import { createIssuedTokens, createSingleUseCodes } from './credentials.ts'
import { createFaults, type Faults } from './faults.ts'
import { createSoterDevices, type SoterDevices } from './soter-devices.ts'
import { createRiskRanks, createUsers, type RiskRanks, type Users } from './users.ts'

/** The user that a code was issued for. */
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
