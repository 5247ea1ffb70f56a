/** The verification steps, and a drawing of the audit path. */
import { useEffect, useState } from 'hono/jsx/dom'
import { encodeHex } from 'miniseal-protocol/text'
import type { EntryAnswer } from '../api/answers.ts'
import { keyPinned } from './local-storage.ts'
import { useLocalization } from './locales/localization.ts'
import { type Step, type TreePath, verifyEntry } from './verification.ts'

interface State {
  readonly steps: readonly Step[]
  readonly isDone: boolean
  readonly path?: TreePath | undefined
}

const initialState: State = { steps: [], isDone: false }

export function VerificationPanel({ id, answer }: { readonly id: string; readonly answer: EntryAnswer }) {
  const { translate } = useLocalization()
  const [state, setState] = useState<State>(initialState)
  const [round, setRound] = useState(0)
  useEffect(() => {
    const again = (): void => setRound((n) => n + 1)
    addEventListener(keyPinned, again)
    return () => removeEventListener(keyPinned, again)
  }, [])
  useEffect(() => {
    let isCancelled = false
    setState(initialState)
    const completed: Step[] = []
    const onStep = (step: Step): void => {
      completed.push(step)
      if (!isCancelled) setState({ steps: [...completed], isDone: false })
    }
    verifyEntry(id, answer, onStep).then(({ steps, path }) => {
      if (!isCancelled) setState({ steps, path, isDone: true })
    })
    return () => {
      isCancelled = true
    }
  }, [id, answer, round])
  return (
    <section class="verification" aria-labelledby="verification">
      <h2 id="verification">{translate('verification')}</h2>
      <Verdict state={state} />
      <ol class="steps">
        {state.steps.map((step) => (
          <StepItem key={step.name} step={step} />
        ))}
      </ol>
      {state.path === undefined || answer.proof === null ? null : (
        <TreeDrawing path={state.path} index={answer.proof.index} size={answer.proof.size} />
      )}
    </section>
  )
}

function Verdict({ state: { steps, isDone } }: { readonly state: State }) {
  const { translate } = useLocalization()
  const hasFailed = steps.some(({ outcome }) => outcome === 'failed')
  const isComplete = steps.every(({ outcome, reason }) => outcome === 'passed' || reason === 'noSignature')
  const text = hasFailed ? 'notVerified' : isComplete ? 'verified' : 'verifiedPartly'
  const outcome = hasFailed ? 'failed' : isComplete ? 'passed' : 'skipped'
  return (
    <p class={isDone ? `verdict ${outcome}` : 'verdict'} role="status">
      {translate(isDone ? text : 'verifying')}
    </p>
  )
}

const marks = { passed: '✓', failed: '✗', skipped: '–' } as const

function StepItem({ step }: { readonly step: Step }) {
  const { translate } = useLocalization()
  const { name, outcome, compared = [] } = step
  return (
    <li class={`step ${outcome}`} data-step={name} data-outcome={outcome}>
      <span class="mark" role="img" aria-label={translate(outcome)}>
        {marks[outcome]}
      </span>
      {compared.length === 0 ? (
        <div>
          <StepTitle step={step} />
        </div>
      ) : (
        <details open={outcome === 'failed'}>
          <summary>
            <StepTitle step={step} />
          </summary>
          <Comparisons step={step} />
        </details>
      )}
    </li>
  )
}

function StepTitle({ step: { name, reason } }: { readonly step: Step }) {
  const { translate, find } = useLocalization()
  return (
    <>
      <span class="step-name">{translate(`step_${name}`)}</span>
      {reason === undefined ? null : <span class="reason">{find(`reason_${reason}`)}</span>}
    </>
  )
}

function Comparisons({ step }: { readonly step: Step }) {
  const { translate } = useLocalization()
  return (
    <table class="compared">
      <thead>
        <tr>
          <th scope="col">{translate('compared')}</th>
          <th scope="col">{translate('stated')}</th>
          <th scope="col">{translate('computed')}</th>
        </tr>
      </thead>
      <tbody>
        {(step.compared ?? []).map(({ of, stated, computed }) => (
          <tr key={of} class={stated === computed ? 'same' : 'differs'}>
            <th scope="row">{of}</th>
            <td class="code">{stated}</td>
            <td class="code">{stated === computed ? '=' : computed}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const rowHeight = 46
const boxWidth = 116
const boxHeight = 24
const width = 420

interface TreeProps {
  readonly path: TreePath
  readonly index: number
  readonly size: number
}

interface DrawnNode {
  readonly hash: Uint8Array
  readonly x: number
  readonly y: number
  readonly kind: 'leaf' | 'path' | 'sibling' | 'root'
}

function TreeDrawing({ path, index, size }: TreeProps) {
  const { translate, count } = useLocalization()
  const { nodes, height } = layOut(path)
  const pathNodes = nodes.filter(({ kind }) => kind !== 'sibling')
  return (
    <figure class="tree">
      <figcaption>
        {translate('tree')} · {translate('index')} {count(index)} / {count(size)} {translate('treeSize')}
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        role="img"
        aria-label={translate('treeLabel')}
      >
        {lines(path, nodes).map(({ from, to, isPath }) => (
          <path
            key={`${from.x} ${from.y}`}
            class={isPath ? 'edge path' : 'edge'}
            d={`M${from.x} ${from.y - boxHeight / 2} L${to.x} ${to.y + boxHeight / 2}`}
          />
        ))}
        {nodes.map((node) => (
          <Node key={`${node.x} ${node.y}`} node={node} />
        ))}
        <Caption node={pathNodes[0]} text={translate('treeLeaf')} />
        <Caption node={pathNodes.at(-1)} text={translate('treeRoot')} />
      </svg>
    </figure>
  )
}

/** Places path nodes and siblings on the sides that they have in the tree. */
function layOut({ leaf, steps }: TreePath): {
  readonly nodes: readonly DrawnNode[]
  readonly height: number
} {
  const height = steps.length * rowHeight + boxHeight + 24
  const bottom = height - boxHeight / 2 - 6
  const left = width / 2 - boxWidth * 0.6
  const right = width / 2 + boxWidth * 0.6
  const nodes: DrawnNode[] = []
  let hash = leaf
  for (const [level, { sibling, isSiblingLeft, node }] of steps.entries()) {
    const y = bottom - level * rowHeight
    nodes.push({ hash, x: isSiblingLeft ? right : left, y, kind: level === 0 ? 'leaf' : 'path' })
    nodes.push({ hash: sibling, x: isSiblingLeft ? left : right, y, kind: 'sibling' })
    hash = node
  }
  const y = bottom - steps.length * rowHeight
  nodes.push({ hash, x: width / 2, y, kind: 'root' })
  return { nodes, height }
}

interface Line {
  readonly from: DrawnNode
  readonly to: DrawnNode
  readonly isPath: boolean
}

/** Edges from each pair of nodes to their parent. */
function lines({ steps }: TreePath, nodes: readonly DrawnNode[]): readonly Line[] {
  return steps.flatMap((_, level) => {
    const [from, sibling, to] = [nodes[2 * level], nodes[2 * level + 1], nodes[2 * level + 2]]
    if (from === undefined || sibling === undefined || to === undefined) return []
    return [
      { from, to, isPath: true },
      { from: sibling, to, isPath: false },
    ]
  })
}

function Node({ node: { hash, x, y, kind } }: { readonly node: DrawnNode }) {
  return (
    <g class={`node ${kind}`}>
      <title>{encodeHex(hash)}</title>
      <rect x={x - boxWidth / 2} y={y - boxHeight / 2} width={boxWidth} height={boxHeight} rx="4" />
      <text x={x} y={y + 4} text-anchor="middle">
        {encodeHex(hash).slice(0, 12)}
      </text>
    </g>
  )
}

/** A caption beside a box, on the outer side. */
function Caption({ node, text }: { readonly node: DrawnNode | undefined; readonly text: string }) {
  if (node === undefined) return null
  const isRight = node.x > width / 2
  const x = isRight ? node.x + boxWidth / 2 + 6 : node.x - boxWidth / 2 - 6
  return (
    <text class="caption" x={x} y={node.y + 4} text-anchor={isRight ? 'start' : 'end'}>
      {text}
    </text>
  )
}
