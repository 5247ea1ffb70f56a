/** A biometric confirmation as the field that the confirmed request carries (protocol, section 9). */
import { encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'

/** What `wx.startSoterAuthentication` gives. */
export interface SoterResult {
  readonly resultJSON: string
  readonly resultJSONSignature: string
}

/**
 * The value of the header `step-up`.
 *
 * @param challenge from `problem` of a `step_up_required`
 * @param result exactly as the phone gave it: parsed and written again it does not verify
 * @throws FormatError for texts that are not Unicode.
 */
export function stepUpField(challenge: string, result: SoterResult): string {
  const bytes = (text: string): string => `:${encodeBase64(encodeUtf8(text))}:`
  return `challenge="${challenge}", json=${bytes(result.resultJSON)}, sig=${bytes(result.resultJSONSignature)}`
}
