/** The measured schemes and their clients. */
import type { SchemeClient, Target } from './client.ts'
import { dpopClient } from './dpop.ts'
import { echoClient } from './echo.ts'
import { httpSignaturesClient } from './http-signatures.ts'
import { minisealClient } from './miniseal.ts'
import { plainClient } from './plain.ts'
import { wechatPayClient } from './wechat-pay.ts'

const clients = {
  miniseal: minisealClient,
  dpop: dpopClient,
  'dpop-agreement': dpopClient,
  'http-signatures': httpSignaturesClient,
  'wechat-pay': wechatPayClient,
  plain: plainClient,
  echo: echoClient,
} satisfies Record<string, (target: Target) => SchemeClient>

export type Scheme = keyof typeof clients

export function createClient(scheme: Scheme, target: Target): SchemeClient {
  return clients[scheme](target)
}
