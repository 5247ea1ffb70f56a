/** The steps of the verification as they are taken, and the entry's place in the tree. */
import { useEffect, useState } from 'hono/jsx/dom'
import type { EntryAnswer } from '../api/answers.ts'
import { keyPinned } from './key-notice.tsx'
import { useLocalization } from './locales/texts.ts'
import { TreeDrawing } from './tree-drawing.tsx'
import type { TreePath } from './tree-path.ts'
import { verifyEntry } from './verification.ts'
import type { Step } from './verification-steps.ts'

interface State {
  readonly steps: readonly Step[]
  readonly isDone: boolean
  readonly path?: TreePath | undefined
}

const nothing: State = { steps: [], isDone: false }

export function VerificationPanel({ id, answer }: { readonly id: string; readonly answer: EntryAnswer }) {
  const { translate } = useLocalization()
  const [state, setState] = useState<State>(nothing)
  const [round, setRound] = useState(0)
  useEffect(() => {
    const again = (): void => setRound((n) => n + 1)
    addEventListener(keyPinned, again)
    return () => removeEventListener(keyPinned, again)
  }, [])
  useEffect(() => {
    let isOver = false
    setState(nothing)
    const taken: Step[] = []
    const onStep = (step: Step): void => {
      taken.push(step)
      if (!isOver) setState({ steps: [...taken], isDone: false })
    }
    verifyEntry(id, answer, onStep).then(({ steps, path }) => {
      if (!isOver) setState({ steps, path, isDone: true })
    })
    return () => {
      isOver = true
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
  const isBad = steps.some(({ outcome }) => outcome === 'bad')
  const isWhole = steps.every(({ outcome, because }) => outcome === 'good' || because === 'noSignature')
  const text = isBad ? 'notVerified' : isWhole ? 'verified' : 'verifiedPartly'
  const outcome = isBad ? 'bad' : isWhole ? 'good' : 'skipped'
  return (
    <p class={isDone ? `verdict ${outcome}` : 'verdict'} role="status">
      {translate(isDone ? text : 'verifying')}
    </p>
  )
}

const marks = { good: '✓', bad: '✗', skipped: '–' } as const

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
        <details open={outcome === 'bad'}>
          <summary>
            <StepTitle step={step} />
          </summary>
          <Comparisons step={step} />
        </details>
      )}
    </li>
  )
}

function StepTitle({ step: { name, because } }: { readonly step: Step }) {
  const { translate, find } = useLocalization()
  return (
    <>
      <span class="step-name">{translate(`step_${name}`)}</span>
      {because === undefined ? null : <span class="because">{find(`because_${because}`)}</span>}
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
