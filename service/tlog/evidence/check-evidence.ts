/**
 * Verifies an evidence bundle offline, step by step. Its content is attacker-controlled; the caller provides the trust
 * anchors.
 */
import { equalBytes } from 'miniseal-protocol/bytes'
import { contentDigest } from 'miniseal-protocol/http-signatures/content-digest'
import type { RequestBase } from 'miniseal-protocol/http-signatures/signed-request'
import { parseRequestBase } from 'miniseal-protocol/http-signatures/signed-request'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { decodeBase64, decodeBase64Url, decodeUtf8, encodeUtf8 } from 'miniseal-protocol/text'
import { groupLabels, parseLeaf, verifyCommitment } from 'miniseal-protocol/tlog/audit-leaf'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { hashLeaf, verifyInclusion } from 'miniseal-protocol/tlog/merkle'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { encodeVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { TlogPolicy } from 'miniseal-protocol/tlog/tlog-policy'
import { hasQuorum, parsePolicy } from 'miniseal-protocol/tlog/tlog-policy'
import { sodiumPrimitives } from '../../keys/sodium-primitives.ts'
import { verifyNoteSignatures } from '../checkpoint.ts'
import { maxKeyLength } from '../entry.ts'
import type { BundleFiles, ReadBundle } from './bundle.ts'
import {
  committedBytes,
  differingFiles,
  fileOf,
  findGroup,
  groupOf,
  proofOf,
  publicKeyPem,
  textOf,
} from './bundle.ts'

/** The closed list of steps, in their order. */
export type StepName =
  | 'files'
  | 'leaf'
  | 'log-key'
  | 'checkpoint'
  | 'witnesses'
  | 'inclusion'
  | 'groups'
  | 'signature'
  | 'request'
  | 'payload'
  | 'body'
  | 'enrolment'

export interface Step {
  readonly name: StepName
  /** `skipped`: nothing to check, or nothing to compare with. */
  readonly outcome: 'ok' | 'failed' | 'skipped'
  /** Short English text: id, size, key or reason. */
  readonly detail: string
}

/** Trust anchors, from a source other than the bundle. */
export interface TrustAnchors {
  readonly vkeys: readonly VerifierKey[]
  readonly policy: TlogPolicy | undefined
  /** The service's `MINISEAL_ORIGIN`; without it, the log's name must begin with the authority that was signed. */
  readonly origin?: string | undefined
  /** The request body, if available. */
  readonly body: Uint8Array | undefined
}

type Outcome = readonly ['ok' | 'failed' | 'skipped', string]

/**
 * `holds`: no step failed and the log key is a trust anchor. `fits`: no step failed but the log key was not checked, so the
 * maker of the bundle may have made the log.
 */
export type Verdict = 'holds' | 'fits' | 'fails'

export function verdictOf(steps: readonly Step[]): Verdict {
  if (steps.some(({ outcome }) => outcome === 'failed')) return 'fails'
  return steps.some(({ name, outcome }) => name === 'log-key' && outcome === 'ok') ? 'holds' : 'fits'
}

/** @returns every step, for {@link verdictOf} */
export function checkEvidence(bundle: ReadBundle, known: TrustAnchors): readonly Step[] {
  const { files } = bundle
  const steps: readonly (readonly [StepName, () => Outcome])[] = [
    ['files', () => checkFiles(bundle)],
    ['leaf', () => checkLeaf(bundle)],
    ['log-key', () => checkLogKey(files, known)],
    ['checkpoint', () => checkCheckpoint(bundle, known)],
    ['witnesses', () => checkWitnesses(files, known)],
    ['inclusion', () => checkInclusion(files, '')],
    ['groups', () => checkGroups(files, '', bundle.manifest.groups)],
    ['signature', () => checkSignature(files)],
    ['request', () => checkRequest(files, known)],
    ['payload', () => checkPayload(files)],
    ['body', () => checkBody(files, known)],
    ['enrolment', () => checkEnrolment(files, known)],
  ]
  return steps.map(([name, run]) => {
    const [outcome, detail] = guarded(run)
    return { name, outcome, detail }
  })
}

/** A parse error fails the step. */
function guarded(run: () => Outcome): Outcome {
  try {
    return run()
  } catch (error) {
    return ['failed', error instanceof Error ? error.message : 'unreadable']
  }
}

function checkFiles(bundle: ReadBundle): Outcome {
  const differing = differingFiles(bundle)
  if (differing.length > 0) return ['failed', `differ from the manifest: ${differing.join(', ')}`]
  return ['ok', `${bundle.files.size} files`]
}

function checkLeaf({ manifest, files }: ReadBundle): Outcome {
  const { id, kind, result, at } = parseLeaf(fileOf(files, 'leaf.json'))
  if (id !== manifest.id) return ['failed', 'the entry is not the one of the manifest']
  return ['ok', `${id} ${kind} ${result} ${new Date(at).toISOString()}`]
}

/** The keys of the trust anchors; without any, those of the bundle. */
function keysFor(files: BundleFiles, { vkeys, policy }: TrustAnchors): TlogPolicy {
  if (policy !== undefined) return policy
  const given = vkeys.filter(({ kind }) => kind === 'ed25519')
  const own = parsePolicy(sodiumPrimitives, textOf(files, 'policy.txt'))
  return given.length === 0 ? own : { ...own, logs: given.map((key) => ({ key })) }
}

function checkLogKey(files: BundleFiles, known: TrustAnchors): Outcome {
  const own = parsePolicy(sodiumPrimitives, textOf(files, 'policy.txt')).logs.map(nameOf)
  const counted = keysFor(files, known).logs.map(nameOf)
  if (known.policy === undefined && !known.vkeys.some(({ kind }) => kind === 'ed25519')) {
    return ['skipped', `not compared with a trusted key: ${own.join(' ')}`]
  }
  const isKnown = own.length > 0 && own.every((name) => counted.includes(name))
  return isKnown ? ['ok', own.join(' ')] : ['failed', `the bundle has another key: ${own.join(' ')}`]
}

function nameOf({ key }: { readonly key: VerifierKey }): string {
  return encodeVerifierKey(sodiumPrimitives, key)
}

function checkSigned(files: BundleFiles, folder: string, known: TrustAnchors): Outcome {
  const { checkpoint, note } = parseCheckpointNote(proofOf(files, folder).checkpoint)
  const keys = keysFor(files, known)
    .logs.map(({ key }) => key)
    .filter(({ name }) => name === checkpoint.origin)
  const { good, bad } = verifyNoteSignatures(note, keys)
  if (bad.length > 0 || good.length === 0)
    return ['failed', 'the checkpoint has no valid signature of a known key of this log']
  return ['ok', `${checkpoint.origin}, ${checkpoint.size} entries`]
}

/** The checkpoint of the proof, and its copies for other tools. */
function checkCheckpoint({ manifest, files }: ReadBundle, known: TrustAnchors): Outcome {
  const { checkpoint, note } = parseCheckpointNote(proofOf(files, '').checkpoint)
  if (manifest.origin !== checkpoint.origin)
    return ['failed', 'the checkpoint is not of the log of the manifest']
  if (decodeUtf8(fileOf(files, 'checkpoint.txt')) !== note.text) {
    return ['failed', 'checkpoint.txt differs from the checkpoint of the proof']
  }
  // The bundle has one of possibly several signatures; checkSigned decides whether a trusted key signed.
  const { logs } = parsePolicy(sodiumPrimitives, textOf(files, 'policy.txt'))
  const { good } = verifyNoteSignatures(
    note,
    logs.map(({ key }) => key),
  )
  const isSame = good.some(({ key, signature }) => {
    const isKey = equalBytes(publicKeyPem(key.publicKey), fileOf(files, 'keys/log.pem'))
    return isKey && equalBytes(signature, fileOf(files, 'checkpoint.sig'))
  })
  const signed = checkSigned(files, '', known)
  if (signed[0] === 'failed' || isSame) return signed
  return ['failed', 'checkpoint.sig or keys/log.pem differs from the proof']
}

function checkWitnesses(files: BundleFiles, known: TrustAnchors): Outcome {
  const policy = keysFor(files, known)
  const keys = [
    ...policy.witnesses.map(({ key }) => key),
    ...known.vkeys.filter(({ kind }) => kind === 'cosignature'),
  ]
  const { note } = parseCheckpointNote(proofOf(files, '').checkpoint)
  const { good, bad } = verifyNoteSignatures(note, keys)
  const signed = good.map(
    ({ key, cosignedAt = 0 }) => `${key.name} at ${new Date(cosignedAt * 1000).toISOString()}`,
  )
  if (bad.length > 0) return ['failed', `the cosignature of ${bad[0]?.name} is invalid`]
  const cosigned = policy.witnesses.filter(({ key }) => good.some((one) => one.key === key))
  if (!hasQuorum(policy, new Set(cosigned.map(({ name }) => name))))
    return ['failed', 'fewer cosignatures than the policy requires']
  if (keys.length === 0) return ['skipped', 'no witness key is given']
  return signed.length === 0 ? ['skipped', 'no known witness has cosigned'] : ['ok', signed.join(', ')]
}

function checkInclusion(files: BundleFiles, folder: string): Outcome {
  const { index, hashes, checkpoint: note } = proofOf(files, folder)
  const { checkpoint } = parseCheckpointNote(note)
  const hash = hashLeaf(sodiumPrimitives, fileOf(files, `${folder}leaf.json`))
  verifyInclusion(sodiumPrimitives, hash, index, checkpoint, hashes)
  return ['ok', `entry ${index} of ${checkpoint.size}`]
}

function checkGroups(files: BundleFiles, folder: string, labels: readonly string[]): Outcome {
  const leaf = parseLeaf(fileOf(files, `${folder}leaf.json`))
  const shown = groupLabels.filter((label) => files.has(`${folder}groups/${label}.json`))
  if (shown.join() !== [...labels].sort().join())
    return ['failed', 'the disclosed groups differ from the manifest']
  for (const label of shown) {
    const { salt, value } = groupOf(files, folder, label)
    verifyCommitment(sodiumPrimitives, leaf, label, salt, encodeUtf8(value))
    if (!equalBytes(committedBytes(label, salt, value), fileOf(files, `${folder}groups/${label}.bin`)))
      return ['failed', `groups/${label}.bin differs from groups/${label}.json`]
  }
  return shown.length === 0 ? ['skipped', 'no group is disclosed'] : ['ok', shown.join(', ')]
}

function checkSignature(files: BundleFiles): Outcome {
  const sig = findGroup(files, '', 'sig')
  if (sig === undefined) return ['skipped', 'the signature is not disclosed']
  const { base, signature, public_key: publicKey, keyid, created } = sig
  const signed = parseRequestBase(String(base))
  if (signed.keyid !== keyid) return ['failed', 'the signature base has another key id than the entry']
  if (signed.created !== created) return ['failed', 'the signature base has another time than the entry']
  if (publicKey === undefined) return ['skipped', 'the entry has no key to verify it with']
  const key = decodeBase64Url(String(publicKey))
  if (keyThumbprint(sodiumPrimitives, key) !== keyid)
    return ['failed', 'the key does not match the key id of the signature']
  const device = findGroup(files, '', 'sub')?.device
  if (device !== undefined && device !== keyid) return ['failed', 'the key is not the device key']
  if (textOf(files, 'signature-base.txt') !== base)
    return ['failed', 'signature-base.txt differs from the signed base']
  const bytes = decodeBase64(String(signature))
  const isSame =
    equalBytes(bytes, fileOf(files, 'signature.bin')) &&
    equalBytes(publicKeyPem(key), fileOf(files, 'device-key.pem'))
  if (!isSame) return ['failed', 'signature.bin or device-key.pem differs from the entry']
  const isGood = sodiumPrimitives.ed25519Verify(bytes, encodeUtf8(String(base)), key)
  return isGood ? ['ok', `device ${keyid}`] : ['failed', 'the signature is invalid']
}

/** Compares the signed request with the entry: authority, time, method, path, idempotency key. */
function checkRequest(files: BundleFiles, { origin }: TrustAnchors): Outcome {
  const sig = findGroup(files, '', 'sig')
  if (sig === undefined) return ['skipped', 'the signature is not disclosed']
  const signed = parseRequestBase(String(sig.base))
  const { checkpoint } = parseCheckpointNote(proofOf(files, '').checkpoint)
  const authority = signed.values.get('@authority') ?? ''
  const isOurs = origin === undefined ? checkpoint.origin.startsWith(`${authority}/`) : origin === authority
  if (!isOurs) return ['failed', `signed for ${authority}, which is not this service; see --origin`]
  const core = findGroup(files, '', 'core')
  if (core === undefined) return ['skipped', 'the request of the entry (core) is not disclosed']
  const differing = differingMember(signed, core)
  if (differing !== undefined) return ['failed', `${differing} differs from the signed one`]
  const { at } = parseLeaf(fileOf(files, 'leaf.json'))
  if (!isOfItsTime(signed.created, core, at))
    return ['failed', 'the time of the signature does not match the time of the entry']
  return ['ok', `${core.method} ${core.path}`]
}

/** Compares the signed digest with the logged one. */
function checkPayload(files: BundleFiles): Outcome {
  const [sig, pay] = [findGroup(files, '', 'sig'), findGroup(files, '', 'pay')]
  if (sig === undefined || pay === undefined)
    return ['skipped', 'the signature (sig) or the digests (pay) are not disclosed']
  const signed = signedDigest(files)
  if (signed !== pay.request_digest) return ['failed', 'the signed digest differs from the logged one']
  if (signed === undefined && Number(pay.request_size) !== 0)
    return ['failed', 'the entry has a body that was not signed']
  return ['ok', signed ?? 'no body']
}

function checkBody(files: BundleFiles, known: TrustAnchors): Outcome {
  const body = known.body ?? files.get('body.bin')
  if (body === undefined) return ['skipped', 'no body given']
  const inside = files.get('body.bin')
  if (inside !== undefined && !equalBytes(inside, body)) return ['failed', 'the bundle contains another body']
  const digest = signedDigest(files) ?? findGroup(files, '', 'pay')?.request_digest
  if (digest === undefined)
    return ['failed', 'no digest of the body is disclosed: the groups sig and pay have one']
  return contentDigest(sodiumPrimitives, body) === digest
    ? ['ok', `${body.length} bytes`]
    : ['failed', 'the body does not match the signed digest']
}

function signedDigest(files: BundleFiles): string | undefined {
  const sig = findGroup(files, '', 'sig')
  return sig === undefined ? undefined : parseRequestBase(String(sig.base)).values.get('content-digest')
}

function checkEnrolment(files: BundleFiles, known: TrustAnchors): Outcome {
  if (![...files.keys()].some((name) => name.startsWith('enrolment/')))
    return ['skipped', 'the bundle has no enrolment']
  const checks = [
    () => checkSigned(files, 'enrolment/', known),
    () => checkInclusion(files, 'enrolment/'),
    () => checkGroups(files, 'enrolment/', ['sub']),
  ]
  const failed = checks.map((check) => check()).find(([outcome]) => outcome === 'failed')
  if (failed !== undefined) return failed
  const [own, enrolled] = [findGroup(files, '', 'sub'), findGroup(files, 'enrolment/', 'sub')]
  if (own?.device === undefined || own.device !== enrolled?.device || own.user !== enrolled.user) {
    return ['failed', 'the enrolment is for another device or user']
  }
  const { kind, at } = parseLeaf(fileOf(files, 'enrolment/leaf.json'))
  if (kind !== 'device-added' && kind !== 'login')
    return ['failed', `an entry of kind ${kind} does not enrol a device`]
  return ['ok', `${kind} ${new Date(at).toISOString()}`]
}

/** The time window of the service, plus the time that a request may wait before the check; seconds. */
const past = 130
const future = 70

/** The first member of the group `core` that differs from the signed request. */
function differingMember({ values }: RequestBase, core: FlatObject): string | undefined {
  const query = values.get('@query') ?? ''
  const path = `${values.get('@path') ?? ''}${query === '?' ? '' : query}`
  // The log truncates long idempotency keys.
  const key = values.get('idempotency-key')?.slice(0, maxKeyLength)
  if (core.method !== values.get('@method')) return 'the method'
  if (core.path !== path) return 'the path'
  if (core.idempotency_key !== key) return 'the Idempotency-Key'
  return undefined
}

/**
 * Whether a request with this signature can have arrived at the time of the entry.
 *
 * @param created UNIX seconds
 * @param loggedAt milliseconds since 1970
 */
function isOfItsTime(created: number, core: FlatObject, loggedAt: number): boolean {
  // Refused because of its time.
  if (core.refusal === 'window_invalid') return true
  const { started_at: startedAt, duration_ms: duration } = core
  const arrived =
    typeof startedAt === 'number'
      ? startedAt
      : (loggedAt - (typeof duration === 'number' ? duration : 0)) / 1000
  return created >= arrived - past && created <= arrived + future
}
