/** What the sandbox says about the risk of its users: 0 until a test says otherwise. */

/** A rank as WeChat has them. */
export const highestRank = 4

export interface RiskRanks {
  /** The user has been in the mini program now. */
  visit(appid: string, openid: string): void
  /** Whether the last visit was less than 30 minutes ago: WeChat knows nothing of others. */
  isRecent(appid: string, openid: string): boolean
  setRank(appid: string, openid: string, rank: number): void
  rankOf(appid: string, openid: string): number
}

const memorySeconds = 1800

/** `now` in unix seconds. */
export function createRiskRanks(now: () => number): RiskRanks {
  const visits = new Map<string, number>()
  const ranks = new Map<string, number>()
  return {
    visit: (appid, openid) => {
      visits.set(userKey(appid, openid), now())
    },
    isRecent: (appid, openid) => now() - (visits.get(userKey(appid, openid)) ?? 0) < memorySeconds,
    setRank: (appid, openid, rank) => {
      ranks.set(userKey(appid, openid), rank)
    },
    rankOf: (appid, openid) => ranks.get(userKey(appid, openid)) ?? 0,
  }
}

/** An openid belongs to one app. */
function userKey(appid: string, openid: string): string {
  return JSON.stringify([appid, openid])
}
