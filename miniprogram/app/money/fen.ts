/** Money as whole fen (0.01 CNY): it is never a fraction, so it is never rounded. */

/** One transfer moves at most 50,000.00 CNY. */
export const maxTransfer = 5_000_000

/** Above 1,000.00 CNY a transfer is confirmed by finger or face. */
export const maxWithoutConfirmation = 100_000

/**
 * What people typed, as fen; `undefined` unless it is a plain amount of at most two decimals.
 */
export function parseFen(text: string): number | undefined {
  const match = /^(0|[1-9][0-9]{0,8})(?:\.([0-9]{0,2}))?$/.exec(text.trim())
  if (match === null) return undefined
  const [, yuan = '0', decimals = ''] = match
  return Number(yuan) * 100 + Number(decimals.padEnd(2, '0'))
}

/** `1,234.50`, with a minus sign of the same width as a plus where it is negative. */
export function formatFen(fen: number): string {
  const { sign, whole, decimals } = fenParts(fen)
  return `${sign}${whole}.${decimals}`
}

export interface FenParts {
  readonly sign: '' | '−'
  readonly whole: string
  readonly decimals: string
}

/** The same in parts, for amounts whose decimals are drawn smaller. */
export function fenParts(fen: number): FenParts {
  const size = Math.abs(fen)
  const whole = String(Math.floor(size / 100)).replace(/\B(?=(\d{3})+$)/g, ',')
  return { sign: fen < 0 ? '−' : '', whole, decimals: String(size % 100).padStart(2, '0') }
}
