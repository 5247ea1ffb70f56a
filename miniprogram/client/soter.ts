/** Confirming by finger or face on the phone, with every way in which WeChat's SOTER may fail told apart. */
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'
import type { SoterResult } from './step-up.ts'
import type { SoterMode, WeChat, WeChatFailure } from './wx.ts'

/** Has `challenge` signed by finger or face. @throws ChannelError one of the codes `soter_…`, `confirmation_cancelled`. */
export type Soter = (challenge: string, summary: string, platform: string) => Promise<SoterResult>

/** Shows what is to be confirmed; false when the person does not want it. */
export type AskForSummary = (summary: string) => Promise<boolean>

const modes: readonly SoterMode[] = ['facial', 'fingerPrint']

const failures: Readonly<Record<number, ChannelErrorCode>> = {
  90001: 'soter_unsupported',
  90002: 'soter_not_allowed',
  90003: 'soter_mode_unsupported',
  90008: 'confirmation_cancelled',
  90009: 'soter_not_recognized',
  90010: 'soter_frozen',
  90011: 'soter_not_enrolled',
}

/** SOTER of WeChat: asks what the phone can do and what is enrolled, then for the signature. */
export function wxSoter(wx: WeChat | undefined): Soter {
  return async (challenge, summary, platform) => {
    const able = await supportedModes(wx)
    if (able.length === 0) throw new ChannelError('soter_unsupported', 'no mode of SOTER is supported')
    const enrolled = await Promise.all(able.map((mode) => isEnrolled(wx, mode)))
    const usable = able.filter((_, index) => enrolled[index])
    if (usable.length === 0) throw new ChannelError('soter_not_enrolled', 'nothing is enrolled')
    return new Promise((resolve, reject) => {
      wx?.startSoterAuthentication?.({
        requestAuthModes: usable,
        challenge,
        authContent: summary,
        success: resolve,
        fail: (failure) => reject(soterError(failure, platform)),
      })
    })
  }
}

/** `wx.showModal`; where there is none, nobody can be asked, and the finger or face alone confirms. */
export function wxAsk(wx: WeChat | undefined): AskForSummary {
  return (summary) =>
    new Promise((resolve) => {
      if (wx?.showModal === undefined) return resolve(true)
      wx.showModal({
        title: '请确认',
        content: summary,
        success: ({ confirm }) => resolve(confirm),
        fail: () => resolve(false),
      })
    })
}

function supportedModes(wx: WeChat | undefined): Promise<readonly SoterMode[]> {
  return new Promise((resolve) => {
    const success = ({ supportMode }: { readonly supportMode: readonly string[] }): void =>
      resolve(modes.filter((mode) => supportMode.includes(mode)))
    const fail = (): void => resolve([])
    if (wx?.checkIsSupportSoterAuthentication === undefined) fail()
    else wx.checkIsSupportSoterAuthentication({ success, fail })
  })
}

function isEnrolled(wx: WeChat | undefined, checkAuthMode: SoterMode): Promise<boolean> {
  return new Promise((resolve) => {
    const success = (result: { readonly isEnrolled: boolean }): void => resolve(result.isEnrolled)
    const fail = (): void => resolve(false)
    if (wx?.checkIsSoterEnrolledInDevice === undefined) fail()
    else wx.checkIsSoterEnrolledInDevice({ checkAuthMode, success, fail })
  })
}

/** WeChat's table of codes. After too many attempts Android says 90010, and iOS says 90009. */
function soterError(failure: WeChatFailure, platform: string): ChannelError {
  const errCode = failure.errCode ?? 0
  const code = errCode === 90_009 && platform === 'ios' ? 'soter_frozen' : failures[errCode]
  return new ChannelError(code ?? 'soter_failed', `SOTER failed: ${errCode}`, { cause: failure })
}
