/** Finger or face, for a request that the service wants confirmed. */
import type { SoterResult } from 'miniseal'

/** How asking people ended. */
export type Confirmation =
  | { readonly kind: 'confirmed'; readonly result: SoterResult }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'locked' }
  | { readonly kind: 'not-enrolled' }
  | { readonly kind: 'unsupported' }

/** WeChat's numbers for what did not work; iOS gives 90009 where it locks, too. */
const failures: Readonly<Record<number, Confirmation>> = {
  90001: { kind: 'unsupported' },
  90002: { kind: 'not-enrolled' },
  90003: { kind: 'unsupported' },
  90008: { kind: 'cancelled' },
  90009: { kind: 'locked' },
  90010: { kind: 'locked' },
  90011: { kind: 'not-enrolled' },
}

/** @param summary the service's words for what is confirmed, shown by the phone */
export function confirmByBody(challenge: string, summary: string): Promise<Confirmation> {
  return new Promise((resolve) => {
    wx.startSoterAuthentication({
      requestAuthModes: ['fingerPrint', 'facial'],
      challenge,
      authContent: summary,
      success: ({ resultJSON, resultJSONSignature }) => {
        resolve({ kind: 'confirmed', result: { resultJSON, resultJSONSignature } })
      },
      fail: (failure) => resolve(failures[errCodeOf(failure)] ?? { kind: 'cancelled' }),
    })
  })
}

function errCodeOf(failure: object): number {
  return 'errCode' in failure ? Number(failure.errCode) : 0
}
