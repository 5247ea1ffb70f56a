/** Step-up authentication: the user confirms one request, by its summary and by WeChat's SOTER biometrics. */

import { stringMember } from 'miniseal-protocol/json'
import { summaryFault } from 'miniseal-protocol/summary'
import { encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'
import type { ChannelErrorCode } from './errors.ts'
import { ChannelError } from './errors.ts'
import type { SoterMode, WeChat, WeChatFailure } from './wx.ts'
import { promised } from './wx.ts'

/** From the signed refusal `step_up_required`. */
export interface ConfirmationRequest {
  readonly challenge: string
  readonly summary: string
}

interface ConfirmationPlatform {
  readonly confirmDialog: ConfirmDialog
  readonly soter: Soter
  readonly platform: { readonly platform: string }
}

/** `undefined` for any other error. */
export function findConfirmationRequest(error: unknown): ConfirmationRequest | undefined {
  if (!(error instanceof ChannelError) || error.code !== 'step_up_required') return undefined
  const challenge = stringMember(error.problem, 'challenge')
  return challenge === undefined
    ? undefined
    : { challenge, summary: stringMember(error.problem, 'summary') ?? '' }
}

const unconfirmed: readonly ChannelErrorCode[] = ['step_up_required', 'step_up_invalid', 'wechat_unavailable']

/** Whether the confirmation, rather than the confirmed request, failed. */
export function isUnconfirmed(error: unknown): error is ChannelError {
  // A confirmed request has been sent, so its outcome is never `none`.
  return error instanceof ChannelError && (error.outcome === 'none' || unconfirmed.includes(error.code))
}

/**
 * Shows the summary and requests the biometric signature.
 *
 * @param confirm `RequestOptions.confirm`
 * @returns the value of the header `step-up`
 * @throws ChannelError `unexpected_answer` for a summary that cannot be displayed faithfully, `confirmation_cancelled`,
 *   or an error of SOTER. The confirmed request was not sent.
 */
export async function confirmWithUser(
  { confirmDialog, soter, platform }: ConfirmationPlatform,
  { challenge, summary }: ConfirmationRequest,
  confirm: true | ((summary: string) => Promise<boolean>),
): Promise<string> {
  // The service never sends such a summary.
  if (summaryFault(summary) !== undefined)
    throw new ChannelError('unexpected_answer', 'invalid summary', { retryable: false })
  const isConfirmed = await (confirm === true ? confirmDialog : confirm)(summary)
  if (!isConfirmed) throw new ChannelError('confirmation_cancelled', 'cancelled by the user')
  return stepUpField(challenge, await soter(challenge, summary, platform.platform))
}

/** Signs `challenge` after biometric authentication. @throws ChannelError `soter_…` or `confirmation_cancelled` */
export type Soter = (challenge: string, summary: string, platform: string) => Promise<SoterResult>

/** Shows the summary; resolves to the user's decision. */
export type ConfirmDialog = (summary: string) => Promise<boolean>

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

/** WeChat's SOTER, with every mode that is supported and enrolled. */
export function wxSoter(wx: WeChat | undefined): Soter {
  return async (challenge, authContent, platform) => {
    const supported = await supportedModes(wx)
    if (supported.length === 0) throw new ChannelError('soter_unsupported', 'SOTER is not supported')
    const enrolled = await Promise.all(supported.map((mode) => isEnrolled(wx, mode)))
    const requestAuthModes = supported.filter((_, index) => enrolled[index])
    if (requestAuthModes.length === 0) throw new ChannelError('soter_not_enrolled', 'no biometrics enrolled')
    const options = { requestAuthModes, challenge, authContent }
    return promised<SoterResult>((callbacks) =>
      wx?.startSoterAuthentication?.({ ...options, ...callbacks }),
    ).catch((failure: WeChatFailure) => throwSoterError(failure, platform))
  }
}

/** `wx.showModal`. Without it, the biometric prompt alone confirms. */
export function wxConfirmDialog(wx: WeChat | undefined): ConfirmDialog {
  return async (content) => {
    if (wx?.showModal === undefined) return true
    const options = { title: '请确认', content }
    return promised<{ confirm: boolean }>((callbacks) => wx.showModal?.({ ...options, ...callbacks })).then(
      ({ confirm }) => confirm,
      () => false,
    )
  }
}

async function supportedModes(wx: WeChat | undefined): Promise<readonly SoterMode[]> {
  if (wx?.checkIsSupportSoterAuthentication === undefined) return []
  return promised<{ supportMode: readonly string[] }>((callbacks) =>
    wx.checkIsSupportSoterAuthentication?.(callbacks),
  ).then(
    ({ supportMode }) => modes.filter((mode) => supportMode.includes(mode)),
    () => [],
  )
}

async function isEnrolled(wx: WeChat | undefined, checkAuthMode: SoterMode): Promise<boolean> {
  if (wx?.checkIsSoterEnrolledInDevice === undefined) return false
  return promised<{ isEnrolled: boolean }>((callbacks) =>
    wx.checkIsSoterEnrolledInDevice?.({ checkAuthMode, ...callbacks }),
  ).then(
    (result) => result.isEnrolled,
    () => false,
  )
}

/** Maps WeChat's error codes. After too many attempts, Android reports 90010 and iOS 90009. */
function throwSoterError(failure: WeChatFailure, platform: string): never {
  const errCode = failure.errCode ?? 0
  const code = errCode === 90_009 && platform === 'ios' ? 'soter_frozen' : failures[errCode]
  throw new ChannelError(code ?? 'soter_failed', `SOTER failed: ${errCode}`, { cause: failure })
}

/** The result of `wx.startSoterAuthentication`. */
export interface SoterResult {
  readonly resultJSON: string
  readonly resultJSONSignature: string
}

/**
 * Encodes the value of the header `step-up` (protocol, section 9).
 *
 * @param challenge from `problem` of a `step_up_required`
 * @param result unmodified: a re-serialized `resultJSON` does not verify
 * @throws FormatError for strings with lone surrogates
 */
export function stepUpField(challenge: string, result: SoterResult): string {
  const bytes = (text: string): string => `:${encodeBase64(encodeUtf8(text))}:`
  return `challenge="${challenge}", json=${bytes(result.resultJSON)}, sig=${bytes(result.resultJSONSignature)}`
}
