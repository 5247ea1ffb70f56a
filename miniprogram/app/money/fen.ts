/** Money in integer fen (0.01 CNY). */

/** Limit per transfer: 50,000.00 CNY. */
export const maxTransfer = 5_000_000

/** Transfers above 1,000.00 CNY need biometric confirmation. */
export const maxWithoutConfirmation = 100_000

/** Parses user input; `undefined` unless it is a plain amount with at most two decimals. */
export function parseFen(text: string): number | undefined {
  const match = /^(0|[1-9][0-9]{0,8})(?:\.([0-9]{0,2}))?$/.exec(text.trim())
  if (match === null) return undefined
  const [, yuan = '0', decimals = ''] = match
  return Number(yuan) * 100 + Number(decimals.padEnd(2, '0'))
}

/** `1,234.50`, with U+2212 as the minus sign. */
export function formatFen(fen: number): string {
  const { sign, whole, decimals } = fenParts(fen)
  return `${sign}${whole}.${decimals}`
}

export interface FenParts {
  readonly sign: '' | '−'
  readonly whole: string
  readonly decimals: string
}

/** The parts of a formatted amount. */
export function fenParts(fen: number): FenParts {
  const absolute = Math.abs(fen)
  const whole = String(Math.floor(absolute / 100)).replace(/\B(?=(\d{3})+$)/g, ',')
  return { sign: fen < 0 ? '−' : '', whole, decimals: String(absolute % 100).padStart(2, '0') }
}
