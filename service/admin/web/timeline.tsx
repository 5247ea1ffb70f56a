/** The chart above the table: drag to choose a time. */
import type { TimelineAnswer } from '../api/answers.ts'
import { Chart, type Layer } from './chart.tsx'
import { type Localization, useLocalization } from './locales/texts.ts'

interface TimelineProps {
  readonly answer: TimelineAnswer
  readonly onChoose: (from: number, until: number) => void
}

export function Timeline({ answer, onChoose }: TimelineProps) {
  const { translate, span } = useLocalization()
  const words = useLocalization()
  const { buckets, step, isComplete } = answer
  return (
    <section class="timeline" aria-label={translate('timelineLabel')}>
      <Chart
        label={describe(words, answer)}
        times={buckets.map(({ at }) => at)}
        step={step}
        layers={resultLayers(words, buckets)}
        height={120}
        onChoose={onChoose}
      />
      <p class="hint">
        {translate('perStep')} {span(step / 1_000)} ·{' '}
        {isComplete ? translate('timelineHint') : translate('timelinePartial')}
      </p>
    </section>
  )
}

const results = ['ok', 'refused', 'failed', 'unknown'] as const

/** What came of entries, as layers; those that never happened are left out, but for the first two. */
export function resultLayers(
  { translate }: Localization,
  buckets: TimelineAnswer['buckets'],
): readonly Layer[] {
  return results
    .map((result) => ({
      name: translate(`result_${result}`),
      colour: `c-${result}`,
      counts: buckets.map((bucket) => bucket[result]),
    }))
    .filter(({ counts }, i) => i < 2 || counts.some((n) => n > 0))
}

/** A chart in words. */
function describe(words: Localization, { buckets }: TimelineAnswer): string {
  const sums = resultLayers(words, buckets).map(({ name, counts }) => {
    return `${name} ${words.count(counts.reduce((sum, n) => sum + n, 0))}`
  })
  return `${words.translate('timelineLabel')}: ${sums.join(', ')}`
}
