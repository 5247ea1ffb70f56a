/** The chart above the table: drag to choose a time. */
import type { TimelineAnswer } from '../answers.ts'
import { Chart, type Layer } from './chart.tsx'
import { useWords, type Words } from './words.ts'

interface TimelineProps {
  readonly answer: TimelineAnswer
  readonly onChoose: (from: number, until: number) => void
}

export function Timeline({ answer, onChoose }: TimelineProps) {
  const { say, span } = useWords()
  const words = useWords()
  const { buckets, step, isComplete } = answer
  return (
    <section class="timeline" aria-label={say('timelineLabel')}>
      <Chart
        label={describe(words, answer)}
        times={buckets.map(({ at }) => at)}
        step={step}
        layers={resultLayers(words, buckets)}
        height={120}
        onChoose={onChoose}
      />
      <p class="hint">
        {say('perStep')} {span(step / 1_000)} · {isComplete ? say('timelineHint') : say('timelinePartial')}
      </p>
    </section>
  )
}

const results = ['ok', 'refused', 'failed', 'unknown'] as const

/** What came of entries, as layers; those that never happened are left out, but for the first two. */
export function resultLayers({ say }: Words, buckets: TimelineAnswer['buckets']): readonly Layer[] {
  return results
    .map((result) => ({
      name: say(`result_${result}`),
      colour: `c-${result}`,
      counts: buckets.map((bucket) => bucket[result]),
    }))
    .filter(({ counts }, i) => i < 2 || counts.some((n) => n > 0))
}

/** A chart in words. */
function describe(words: Words, { buckets }: TimelineAnswer): string {
  const sums = resultLayers(words, buckets).map(({ name, counts }) => {
    return `${name} ${words.count(counts.reduce((sum, n) => sum + n, 0))}`
  })
  return `${words.say('timelineLabel')}: ${sums.join(', ')}`
}
