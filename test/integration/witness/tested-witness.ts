/** A witness over HTTP, and requests to it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeBase64 } from '../../../crypto/text.ts'
import { signCheckpoint } from '../../../crypto/tlog/checkpoint.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import type { RunningWitness, WitnessEvent, WitnessSettings } from '../../../service/witness/server.ts'
import { startWitness } from '../../../service/witness/server.ts'
import { now } from '../../unit/crypto/fixed-inputs.ts'
import { checkpointOf, tree } from '../../unit/crypto/fixed-log.ts'
import { logKey, logSigner, origin, witness } from '../../unit/crypto/note-inputs.ts'
import { plainTree, proof, sha256 } from '../../unit/crypto/plain-tree.ts'

const { signer, key: verifierKey } = witness('w1')

export { verifierKey as key }

/** The same log, forked from its first leaf on. */
const forked = plainTree(Array.from({ length: 70 }, (_, i) => sha256(Buffer.from(`forked ${i}`))))

export function forkedCheckpoint(size: number): string {
  return signCheckpoint(primitives, { origin, size, root: forked.mth(0, size) }, [logSigner])
}

export interface TestedWitness extends RunningWitness {
  readonly events: readonly WitnessEvent[]
  /** UNIX seconds. */
  clock: number
  /** Sends this body. */
  post(body: string | Uint8Array): Promise<Answer>
  /** Submits the checkpoint of `size` with the proof from `old`. */
  submit(old: number, size: number): Promise<Answer>
  get(path: string): Promise<Answer>
}

export interface Answer {
  readonly status: number
  readonly type: string | null
  readonly text: string
}

export function requestBody(old: number, hashes: readonly Uint8Array[], note: string): string {
  return [`old ${old}`, ...hashes.map(encodeBase64), '', note].join('\n')
}

/** A request as an honest log sends it. */
export function honestBody(old: number, size: number): string {
  return requestBody(old, proof(tree, old, size), checkpointOf(size))
}

async function answerOf(response: Response): Promise<Answer> {
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    text: await response.text(),
  }
}

/** @param changes instead of a witness that knows the log of `fixed-log.ts`, in a new file */
export async function startTestedWitness(
  changes: Partial<WitnessSettings> & { readonly database: string },
): Promise<TestedWitness> {
  const events: WitnessEvent[] = []
  const running = await startWitness({
    logs: [{ key: logKey }],
    signer,
    host: '127.0.0.1',
    port: 0,
    now: () => tested.clock,
    onEvent: (event) => events.push(event),
    ...changes,
  })
  const post = async (body: string | Uint8Array): Promise<Answer> =>
    await answerOf(await fetch(`${running.url}/add-checkpoint`, { method: 'POST', body: Buffer.from(body) }))
  const tested: TestedWitness = {
    ...running,
    events,
    clock: now,
    post,
    submit: async (old, size) => await post(honestBody(old, size)),
    get: async (path) => await answerOf(await fetch(`${running.url}${path}`)),
  }
  return tested
}

/** A folder that goes away with `remove`. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'miniseal-witness-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
