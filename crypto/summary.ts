/**
 * The summary that the user confirms with a biometric check (protocol, section 9). It must be displayed completely and in
 * order: characters that hide, reverse or break text are rejected, and it must fit the prompt of the phone.
 */

/** UTF-16 units: the limit of `authContent` of `wx.startSoterAuthentication`. */
export const maxSummaryLength = 42

/**
 * Ranges of code points in order: Unicode Cc, Cf, Zl, Zp, Cs and Default_Ignorable_Code_Point. Listed here because some
 * phones lack `\p`; `test/unit/crypto/summary.test.ts` compares the list with Unicode.
 */
const unshowable: readonly (readonly [from: number, to: number])[] = [
  [0x0, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x600, 0x605],
  [0x61c, 0x61c],
  [0x6dd, 0x6dd],
  [0x70f, 0x70f],
  [0x890, 0x891],
  [0x8e2, 0x8e2],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xd800, 0xdfff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x110bd, 0x110bd],
  [0x110cd, 0x110cd],
  [0x13430, 0x1343f],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
]

function isUnshowable(character: string): boolean {
  const point = character.codePointAt(0) ?? 0
  return unshowable.some(([from, to]) => point >= from && point <= to)
}

/** Why `text`, which is partly attacker-controlled, is rejected; `undefined` when it is accepted. */
export function summaryFault(text: string): string | undefined {
  if (text === '') return 'the summary is empty'
  if ([...text].some(isUnshowable)) return 'the summary has a character that hides, breaks or reverses text'
  if (text.length > maxSummaryLength) return `the summary is over ${maxSummaryLength} characters`
  return undefined
}
