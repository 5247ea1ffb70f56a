/** Step-up authentication as a phone performs it: SOTER in the sandbox, and the field `step-up`. */
import type { BareItem } from '../../crypto/http-signatures/structured-fields.ts'
import { serializeDictionary } from '../../crypto/http-signatures/structured-fields.ts'
import { encodeUtf8 } from '../../crypto/text.ts'
import { type RequestParts, withFields } from './raw-client.ts'
import type { TestService } from './service.ts'

/** The result of wx.startSoterAuthentication. */
export interface SoterResult {
  readonly resultJSON: string
  readonly resultJSONSignature: string
}

export async function confirm(
  service: Pick<TestService, 'sandbox'>,
  openid: string,
  challenge: string,
): Promise<SoterResult> {
  return (await service.sandbox('/sandbox/soter', { openid, challenge })) as SoterResult
}

/** The field's value for a result. */
export function stepUpField(challenge: string, { resultJSON, resultJSONSignature }: SoterResult): string {
  const members: readonly (readonly [string, BareItem])[] = [
    ['challenge', { kind: 'string', value: challenge }],
    ['json', { kind: 'bytes', value: encodeUtf8(resultJSON) }],
    ['sig', { kind: 'bytes', value: encodeUtf8(resultJSONSignature) }],
  ]
  const items = members.map(([name, value]) => [name, { kind: 'item', value, params: new Map() }] as const)
  return serializeDictionary(new Map(items))
}

/** The field's value when `openid` confirms the challenge. */
export async function confirmation(
  service: Pick<TestService, 'sandbox'>,
  openid: string,
  challenge: string,
): Promise<string> {
  return stepUpField(challenge, await confirm(service, openid, challenge))
}

/** A request that carries this value of `step-up`. */
export function withStepUp(parts: RequestParts, value: string): RequestParts {
  return { ...parts, ...withFields(['step-up', value]) }
}
