/** Every parser of input from outside. */
import { clientTargets } from './client-targets.ts'
import { cryptoTargets } from './crypto-targets.ts'
import { serviceTargets } from './service-targets.ts'
import { signatureTargets } from './signature-targets.ts'
import type { Target } from './target.ts'

export const targets: readonly Target[] = [
  ...cryptoTargets,
  ...signatureTargets,
  ...serviceTargets,
  ...clientTargets,
]
