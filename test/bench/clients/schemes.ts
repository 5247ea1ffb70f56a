/** Every scheme that is measured, and its clients. */
import type { SchemeClient, Target } from './client.ts'
import { minisealClient } from './miniseal.ts'

export const schemes = ['miniseal'] as const

export type Scheme = (typeof schemes)[number]

export function createClient(scheme: Scheme, target: Target): SchemeClient {
  switch (scheme) {
    case 'miniseal':
      return minisealClient(target)
  }
}
