/** Whether the log continues the one that this browser has seen: asked for, proved, verified here, remembered. */
import { useEffect, useState } from 'hono/jsx/dom'
import { decodeBase64, encodeBase64 } from 'miniseal-protocol/text'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import { verifyConsistency } from 'miniseal-protocol/tlog/merkle'
import type { ConsistencyAnswer } from '../api/answers.ts'
import { callApi } from './api-client.ts'
import { bundled } from './digests.ts'
import { keyPinned } from './key-notice.tsx'
import { useLocalization } from './locales/texts.ts'
import { pinnedKeys, type StoredTreeHead, storedTreeHead, storeTreeHead } from './remembered.ts'
import { Moment } from './states.tsx'
import { findSigner } from './verification.ts'

type Found =
  | { readonly kind: 'checking' | 'noKey' | 'unsigned' | 'away' }
  | { readonly kind: 'first'; readonly size: number }
  | { readonly kind: 'good' | 'bad'; readonly seen: StoredTreeHead; readonly size: number }

export function SinceVisit({ origin }: { readonly origin: string }) {
  const { translate } = useLocalization()
  const [found, setFound] = useState<Found>({ kind: 'checking' })
  useEffect(() => {
    let isOver = false
    const look = (): void => {
      compareWithSeen(origin).then(
        (result) => isOver || setFound(result),
        () => isOver || setFound({ kind: 'away' }),
      )
    }
    look()
    addEventListener(keyPinned, look)
    return () => {
      isOver = true
      removeEventListener(keyPinned, look)
    }
  }, [origin])
  return (
    <section class={`card ${classes[found.kind]}`} data-since={found.kind} role="status">
      <h2>{translate('sinceVisit')}</h2>
      <Words found={found} />
    </section>
  )
}

const classes: { readonly [K in Found['kind']]: string } = {
  checking: '',
  noKey: '',
  unsigned: 'bad',
  away: '',
  first: 'good',
  good: 'good',
  bad: 'bad',
}

/** @throws AskFailed */
async function compareWithSeen(origin: string): Promise<Found> {
  if (pinnedKeys().length === 0) return { kind: 'noKey' }
  const seen = storedTreeHead(origin)
  const answer = await askSince(origin, seen?.size ?? 0)
  if (answer === undefined && seen !== undefined) return { kind: 'bad', seen, size: 0 }
  if (answer === undefined || (await findSigner(answer.checkpoint)) === undefined) return { kind: 'unsigned' }
  const { checkpoint } = parseCheckpointNote(answer.checkpoint)
  if (checkpoint.origin !== origin) return { kind: 'unsigned' }
  const { size } = checkpoint
  if (seen !== undefined && !isContinued(seen, checkpoint, answer.proof)) return { kind: 'bad', seen, size }
  // Only what is proved takes the place of what was seen.
  storeTreeHead(origin, { size, root: encodeBase64(checkpoint.root), at: Date.now() })
  return seen === undefined ? { kind: 'first', size } : { kind: 'good', seen, size }
}

/** `undefined`: the service has no log of this origin that is so large. @throws AskFailed */
async function askSince(origin: string, size: number): Promise<ConsistencyAnswer | undefined> {
  const query = new URLSearchParams({ origin, from: String(size) })
  try {
    return await callApi<ConsistencyAnswer>(`consistency?${query}`)
  } catch (error) {
    if (error instanceof Error && error.message === 'not_found') return undefined
    throw error
  }
}

/** Everything but `seen` is attacker-controlled. */
function isContinued(
  seen: StoredTreeHead,
  head: { readonly size: number; readonly root: Uint8Array },
  proof: readonly string[],
): boolean {
  try {
    const older = { size: seen.size, root: decodeBase64(seen.root) }
    verifyConsistency(bundled, older, head, proof.map(decodeBase64))
    return true
  } catch {
    return false
  }
}

function Words({ found }: { readonly found: Found }) {
  const { translate, count } = useLocalization()
  switch (found.kind) {
    case 'checking':
      return <p class="hint">{translate('sinceChecking')}</p>
    case 'noKey':
      return <p class="hint">{translate('sinceNoKey')}</p>
    case 'away':
      return <p class="hint">{translate('problem_away')}</p>
    case 'unsigned':
      return <p class="figure">{translate('sinceUnsigned')}</p>
    case 'first':
      return <p>{translate('sinceFirst')}</p>
    case 'good':
      return (
        <>
          <p class="figure">
            ✓ {found.size === found.seen.size ? translate('sinceSame') : translate('sinceGood')}
          </p>
          <p>
            {count(found.seen.size)} → {count(found.size)} {translate('entriesUnit')}
          </p>
          <p class="hint">
            <Moment at={found.seen.at} />
          </p>
        </>
      )
    case 'bad':
      return (
        <>
          <p class="figure">✗ {translate('sinceBad')}</p>
          <p>{translate('sinceBadHint')}</p>
          <p>
            {count(found.seen.size)} → {count(found.size)} {translate('entriesUnit')}
          </p>
        </>
      )
  }
}
