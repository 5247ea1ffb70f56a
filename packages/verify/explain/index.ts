/**
 * Explains why a signed message does not verify. For `miniseal explain` and other tools; a backend uses the option
 * `onRefused` of its verifier.
 */
export { knownKey } from './checks.ts'
export { explainCapture } from './explain.ts'
export type { Locale } from './locales/en.ts'
export { en } from './locales/en.ts'
export { jsonOf, printReport } from './print.ts'
export { printable } from './redaction.ts'
export type * from './types.ts'
export { firstFailure, interactiveBudget } from './types.ts'
