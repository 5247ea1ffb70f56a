/** Verifies that the log is consistent with the tree head that this browser stored on the last visit. */
import { useEffect, useState } from 'hono/jsx/dom'
import { decodeBase64, encodeBase64 } from 'miniseal-protocol/text'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import { verifyConsistency } from 'miniseal-protocol/tlog/merkle'
import type { ConsistencyAnswer } from '../api/answers.ts'
import { callApi } from './api-client.ts'
import { Moment } from './components.tsx'
import { keyPinned, pinnedKeys, type StoredTreeHead, storedTreeHead, storeTreeHead } from './local-storage.ts'
import { useLocalization } from './locales/localization.ts'
import { findSigner } from './verification.ts'
import { bundled } from './web-crypto.ts'

type ConsistencyResult =
  | { readonly kind: 'checking' | 'noKey' | 'unsigned' | 'unreachable' }
  | { readonly kind: 'first'; readonly size: number }
  | { readonly kind: 'consistent' | 'inconsistent'; readonly previous: StoredTreeHead; readonly size: number }

export function Consistency({ origin }: { readonly origin: string }) {
  const { translate } = useLocalization()
  const [result, setResult] = useState<ConsistencyResult>({ kind: 'checking' })
  useEffect(() => {
    let isCancelled = false
    const check = (): void => {
      checkConsistency(origin).then(
        (result) => isCancelled || setResult(result),
        () => isCancelled || setResult({ kind: 'unreachable' }),
      )
    }
    check()
    addEventListener(keyPinned, check)
    return () => {
      isCancelled = true
      removeEventListener(keyPinned, check)
    }
  }, [origin])
  return (
    <section class={`card ${classes[result.kind]}`} data-consistency={result.kind} role="status">
      <h2>{translate('consistencyVisit')}</h2>
      <ResultText result={result} />
    </section>
  )
}

const classes: { readonly [K in ConsistencyResult['kind']]: string } = {
  checking: '',
  noKey: '',
  unsigned: 'failed',
  unreachable: '',
  first: 'passed',
  consistent: 'passed',
  inconsistent: 'failed',
}

/** @throws ApiError */
async function checkConsistency(origin: string): Promise<ConsistencyResult> {
  if (pinnedKeys().length === 0) return { kind: 'noKey' }
  const previous = storedTreeHead(origin)
  const answer = await fetchConsistency(origin, previous?.size ?? 0)
  if (answer === undefined && previous !== undefined) return { kind: 'inconsistent', previous, size: 0 }
  if (answer === undefined || (await findSigner(answer.checkpoint)) === undefined) return { kind: 'unsigned' }
  const { checkpoint } = parseCheckpointNote(answer.checkpoint)
  if (checkpoint.origin !== origin) return { kind: 'unsigned' }
  const { size } = checkpoint
  if (previous !== undefined && !isConsistent(previous, checkpoint, answer.proof))
    return { kind: 'inconsistent', previous, size }
  // Store a tree head only after a successful proof.
  storeTreeHead(origin, { size, root: encodeBase64(checkpoint.root), at: Date.now() })
  return previous === undefined ? { kind: 'first', size } : { kind: 'consistent', previous, size }
}

/** `undefined` when the service has no log of this origin and size. @throws ApiError */
async function fetchConsistency(origin: string, size: number): Promise<ConsistencyAnswer | undefined> {
  const query = new URLSearchParams({ origin, from: String(size) })
  try {
    return await callApi<ConsistencyAnswer>(`consistency?${query}`)
  } catch (error) {
    if (error instanceof Error && error.message === 'not_found') return undefined
    throw error
  }
}

/** `head` and `proof` are attacker-controlled. */
function isConsistent(
  previous: StoredTreeHead,
  head: { readonly size: number; readonly root: Uint8Array },
  proof: readonly string[],
): boolean {
  try {
    const older = { size: previous.size, root: decodeBase64(previous.root) }
    verifyConsistency(bundled, older, head, proof.map(decodeBase64))
    return true
  } catch {
    return false
  }
}

function ResultText({ result }: { readonly result: ConsistencyResult }) {
  const { translate, count } = useLocalization()
  switch (result.kind) {
    case 'checking':
      return <p class="hint">{translate('consistencyChecking')}</p>
    case 'noKey':
      return <p class="hint">{translate('consistencyNoKey')}</p>
    case 'unreachable':
      return <p class="hint">{translate('problem_unreachable')}</p>
    case 'unsigned':
      return <p class="figure">{translate('consistencyUnsigned')}</p>
    case 'first':
      return <p>{translate('consistencyFirst')}</p>
    case 'consistent':
      return (
        <>
          <p class="figure">
            ✓{' '}
            {result.size === result.previous.size
              ? translate('consistencySame')
              : translate('consistencyGood')}
          </p>
          <p>
            {count(result.previous.size)} → {count(result.size)} {translate('entriesUnit')}
          </p>
          <p class="hint">
            <Moment at={result.previous.at} />
          </p>
        </>
      )
    case 'inconsistent':
      return (
        <>
          <p class="figure">✗ {translate('consistencyBad')}</p>
          <p>{translate('consistencyBadHint')}</p>
          <p>
            {count(result.previous.size)} → {count(result.size)} {translate('entriesUnit')}
          </p>
        </>
      )
  }
}
