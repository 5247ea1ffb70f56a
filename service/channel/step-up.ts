/** Step-up: a request runs only after its user has confirmed exactly this request by fingerprint or face (protocol, section 9). */
import { concatBytes, equalBytes } from 'miniseal-protocol/bytes'
import { refuseFormat } from 'miniseal-protocol/errors'
import { findField, type RequestMessage } from 'miniseal-protocol/frames/binary-http'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { isOwnRoute } from 'miniseal-protocol/http-signatures/own-routes'
import { type Dictionary, parseDictionary } from 'miniseal-protocol/http-signatures/structured-fields'
import { decodeBase64Url, decodeUtf8, encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { plainSummary, stepUpRequired } from '../gateway/step-up.ts'
import { atStepAsync, ProblemError, type Refusal } from '../problems/problem-error.ts'
import type { StepUpRecord } from '../store/step-ups.ts'
import type { Write } from '../store/store.ts'
import type { Command } from './claim.ts'
import type { ExchangeContext } from './context.ts'
import { digestOfParts, identityParts, keyedDigest, mayHaveEffect } from './idempotency.ts'
import { readUserSecret } from './login.ts'

/** Seconds. */
const challengeLifetime = 180

/** The result that the device's trusted environment signs: the members that are used. */
const soterResult = z.object({
  raw: z.string(),
  counter: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  cpu_id: z.string().min(1).max(512),
  uid: z.string().min(1).max(512),
})

/** The caller, confirmed where the request has a confirmation. */
export interface ConfirmedCaller {
  readonly caller: Caller
  /** The counter of the trusted environment that signed the confirmation. */
  readonly soterCounter?: number
}

/** The parsed field `step-up`: not verified yet. */
interface Confirmation {
  readonly challenge: Uint8Array
  /** `resultJSON`, exactly as the device returned it. */
  readonly json: string
  /** `resultJSONSignature`, exactly as the device returned it. */
  readonly signature: string
}

/** A challenge for this request: committed by `writes` before `refusal` leaves. */
interface StepUpChallenge {
  readonly writes: readonly Write[]
  /** `step_up_required` with the members `challenge` and `summary`. */
  readonly refusal: Refusal
}

/** Adds a new challenge to a `step_up_required` refusal. */
export function challengeFor(
  context: ExchangeContext,
  { message, caller }: Command,
  required: ProblemError,
): StepUpChallenge {
  const { primitives, random } = context
  // H("miniseal/1 step-up" ‖ H(identity of the request) ‖ 32 random bytes)
  const identity = digestOfParts(primitives, identityParts(message))
  const label = encodeUtf8('miniseal/1 step-up')
  const challenge = primitives.sha256(concatBytes(label, identity, random(32)))
  const members = { challenge: encodeBase64Url(challenge), ...required.members }
  return {
    writes: [
      {
        kind: 'insert-step-up',
        challenge,
        user: caller.user,
        device: caller.device,
        fingerprint: fingerprintOf(context, message),
        expiresAt: context.now() + challengeLifetime,
      },
    ],
    refusal: required.with({ step: 'handler', members }),
  }
}

/** The challenge is bound to this fingerprint of the request. */
function fingerprintOf(context: ExchangeContext, message: RequestMessage): Uint8Array {
  return keyedDigest(context, 'step-up', identityParts(message))
}

/**
 * Verifies the field `step-up` and uses up its challenge, durably.
 *
 * @returns the caller with `acr` `soter`, for this request only, and the counter of the device; the unchanged caller where
 *   the request has no such field
 * @throws Refusal `step_up_invalid`; `wechat_unavailable`, `login_busy` or `unavailable`, without using up the challenge.
 */
export async function confirmCaller(context: ExchangeContext, command: Command): Promise<ConfirmedCaller> {
  const field = findField(command.message.fields, 'step-up')
  if (field === undefined) return { caller: command.caller }
  return await atStepAsync('step-up', async () => {
    const confirmation = parseConfirmation(field)
    const stored = await findChallenge(context, command, confirmation.challenge)
    const { caller } = command
    const openid = await readUserSecret(context, caller.user, 'openid')
    const { json, signature } = confirmation
    if (!(await context.wechat.verifySoter(caller.appid, openid, json, signature)))
      throw invalid('wechat does not confirm the result')
    const result = readResult(confirmation)
    // The id of a trusted environment, keyed: the row reveals neither user nor device.
    const id = keyedDigest(context, 'soter', [caller.appid, openid, result.cpu_id, result.uid])
    await useUp(context, stored, id, result.counter)
    return { caller: { ...caller, acr: 'soter' }, soterCounter: result.counter }
  })
}

/** @throws ProblemError `step_up_required` for an unconfirmed request with an effect, in a session that requires `soter`. */
export function assertRequiredAcr(
  { backend }: ExchangeContext,
  { message, policy, requiredAcr }: Command,
  { acr }: Caller,
): void {
  if (requiredAcr === null || acr === requiredAcr || !mayHaveEffect(message) || policy.stepUp === 'none')
    return
  // The backend summarizes only requests to its own paths.
  const summary = isOwnRoute(message.path) ? undefined : backend.summaryOf?.(message)
  throw stepUpRequired(summary ?? plainSummary(message))
}

/** `challenge="…", json=:…:, sig=:…:`, exactly these three members. Attacker-controlled. */
function parseConfirmation(field: string): Confirmation {
  return refuseFormat('step_up_invalid', () => {
    const members = parseDictionary(field)
    if (members.size !== 3) throw malformed()
    const challenge = memberOf(members, 'challenge')
    const json = memberOf(members, 'json')
    const signature = memberOf(members, 'sig')
    if (challenge.kind !== 'string' || json.kind !== 'bytes' || signature.kind !== 'bytes') throw malformed()
    return {
      challenge: decodeBase64Url(challenge.value),
      json: decodeUtf8(json.value),
      signature: decodeUtf8(signature.value),
    }
  })
}

function memberOf(members: Dictionary, name: string) {
  const member = members.get(name)
  if (member?.kind !== 'item' || member.params.size > 0) throw malformed()
  return member.value
}

function malformed(): ProblemError {
  return invalid('the field step-up must be a dictionary of challenge, json and sig')
}

/** @throws ProblemError `step_up_invalid` unless the challenge was made for this request of this user and device. */
async function findChallenge(
  context: ExchangeContext,
  { message, caller }: Command,
  challenge: Uint8Array,
): Promise<StepUpRecord> {
  const stored = await context.store.findStepUp(challenge)
  // The challenge of another user is refused like an unknown one.
  if (stored === undefined || stored.user !== caller.user) throw invalid('the challenge is not known')
  if (stored.device !== caller.device) throw invalid('the challenge was made for another device')
  const fingerprint = fingerprintOf(context, message)
  if (!equalBytes(stored.fingerprint, fingerprint))
    throw invalid('the challenge was made for another request')
  if (stored.usedAt !== null) throw invalid('the challenge was used before')
  if (stored.expiresAt <= context.now()) throw invalid('the challenge has expired')
  return stored
}

/** Parsed only after WeChat has verified the signature. */
function readResult({ json, challenge }: Confirmation): z.infer<typeof soterResult> {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw invalid('the result is not JSON')
  }
  const result = soterResult.safeParse(value)
  if (!result.success) throw invalid('the result lacks raw, counter, cpu_id or uid')
  if (result.data.raw !== encodeBase64Url(challenge)) throw invalid('the result is for another challenge')
  return result.data
}

/** Uses up the challenge and raises the counter in one transaction, before any effect. */
async function useUp(
  context: ExchangeContext,
  { challenge, user, device, fingerprint }: StepUpRecord,
  id: Uint8Array,
  counter: number,
): Promise<void> {
  const now = context.now()
  const result = await context.store.commit([
    { kind: 'consume-step-up', challenge, user, device, fingerprint, now },
    { kind: 'raise-soter-counter', id, counter, now },
  ])
  if (result.kind === 'committed') return
  if (result.write.kind === 'consume-step-up') throw invalid('the challenge was used before, or has expired')
  throw invalid('the counter of the result does not rise')
}

function invalid(detail: string): ProblemError {
  return new ProblemError('step_up_invalid', detail)
}
