/** Stacked bar charts over time, drawn with uPlot. */
import { useEffect, useRef } from 'hono/jsx/dom'
import uPlot from 'uplot'
import type { TimelineAnswer } from '../api/answers.ts'
import { type Localization, useLocalization } from './locales/localization.ts'

/** A layer of the stack, lowest first. */
export interface Layer {
  readonly name: string
  /** The name of a CSS custom property without `--`, for example `c-ok`. */
  readonly colour: string
  readonly counts: readonly number[]
}

interface ChartProps {
  /** The accessible name. */
  readonly label: string
  /** Start of each step, UNIX milliseconds. */
  readonly times: readonly number[]
  /** Milliseconds. */
  readonly step: number
  readonly layers: readonly Layer[]
  readonly height: number
  /** Called with a dragged range, in milliseconds. */
  readonly onChoose?: (from: number, until: number) => void
}

export function Chart(props: ChartProps) {
  const { label, times, layers, height, step } = props
  const { language } = useLocalization()
  const container = useRef<HTMLDivElement>(null)
  const latest = useRef(props)
  latest.current = props
  const fingerprint = JSON.stringify([
    times.length,
    times[0],
    step,
    layers.map(({ counts }) => counts),
    language,
  ])
  useEffect(() => {
    const element = container.current
    if (element === null) return undefined
    const draw = (): uPlot => {
      // Remove the previous chart.
      element.replaceChildren()
      return new uPlot(optionsOf(element, latest), dataOf(times, layers), element)
    }
    let plot = draw()
    const redraw = (): void => {
      plot.destroy()
      plot = draw()
    }
    const sizes = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }))
    sizes.observe(element)
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', redraw)
    return () => {
      sizes.disconnect()
      scheme.removeEventListener('change', redraw)
      plot.destroy()
    }
  }, [fingerprint])
  return (
    <figure class="chart">
      <div ref={container} class="plot" role="img" aria-label={label} />
      <Legend layers={layers} />
    </figure>
  )
}

function Legend({ layers }: { readonly layers: readonly Layer[] }) {
  const { count } = useLocalization()
  return (
    <figcaption class="legend">
      {layers.map(({ name, colour, counts }) => (
        <span key={name}>
          <i class="swatch" style={{ background: `var(--${colour})` }} aria-hidden="true" /> {name}{' '}
          <b>{count(counts.reduce((sum, n) => sum + n, 0))}</b>
        </span>
      ))}
    </figcaption>
  )
}

/** Steps between time labels, in seconds. */
const timeSteps = [
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200],
  ...[1, 2, 7, 14, 30, 90, 365].map((days) => days * 86_400),
]

/** uPlot draws each series from zero, so the series are cumulative sums, the largest first. */
function dataOf(times: readonly number[], layers: readonly Layer[]): uPlot.AlignedData {
  const sums: number[][] = []
  let below = times.map(() => 0)
  for (const { counts } of layers) {
    below = below.map((sum, i) => sum + (counts[i] ?? 0))
    sums.unshift(below)
  }
  return [times.map((at) => at / 1_000), ...sums]
}

interface Latest {
  current: ChartProps | null
}

function optionsOf(element: HTMLElement, latest: Latest): uPlot.Options {
  const { times, step, layers, height, onChoose } = latest.current ?? {
    times: [],
    step: 1,
    layers: [],
    height: 0,
  }
  const style = getComputedStyle(element)
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  const axis = { stroke: colour('quiet'), font: `11px ${style.fontFamily}`, ticks: { show: false } }
  const [first = 0, last = 0] = [times[0], times.at(-1)]
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: onChoose !== undefined, y: false, setScale: false },
    },
    padding: [8, 24, 0, 0],
    scales: {
      x: { time: true, range: [first / 1_000, (last + step) / 1_000] },
      y: { range: (_, __, most) => [0, Math.max(1, most * 1.05)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 26, space: 96, values: timeLabels, incrs: timeSteps },
      {
        ...axis,
        grid: { stroke: colour('line'), width: 1 },
        size: 48,
        space: 26,
        incrs: [
          1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6,
        ],
      },
    ],
    series: [{}, ...[...layers].reverse().map(({ name, colour: fill }) => seriesOf(name, colour(fill)))],
    hooks: { setSelect: [(plot) => chooseFrom(plot, latest)] },
  }
}

function seriesOf(label: string, fill: string): uPlot.Series {
  const bars = uPlot.paths.bars?.({ size: [0.9, 4_000], align: 1 })
  return { label, fill, width: 0, points: { show: false }, ...(bars === undefined ? {} : { paths: bars }) }
}

function chooseFrom(plot: uPlot, latest: Latest): void {
  const { left, width } = plot.select
  const { step = 1, onChoose } = latest.current ?? {}
  if (width < 3 || onChoose === undefined) return
  const at = (x: number): number => Math.round((plot.posToVal(x, 'x') * 1_000) / step) * step
  const [from, until] = [at(left), at(left + width)]
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
  onChoose(from, Math.max(until, from + step))
}

const dayLength = 86_400

/** Dates for steps of days; otherwise the time of day, with the date where it changes. */
function timeLabels(_: uPlot, splits: number[], __: number, ___: number, space: number): string[] {
  let before = ''
  return splits.map((at) => {
    const date = new Date(at * 1_000)
    const two = (n: number): string => String(n).padStart(2, '0')
    const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`
    const clock = `${two(date.getHours())}:${two(date.getMinutes())}${space < 60 ? `:${two(date.getSeconds())}` : ''}`
    const isNewDay = day !== before
    before = day
    if (space >= dayLength) return space >= 28 * dayLength ? `${date.getFullYear()}-${day}` : day
    return isNewDay ? `${day} ${clock}` : clock
  })
}

interface TimelineProps {
  readonly answer: TimelineAnswer
  readonly onChoose: (from: number, until: number) => void
}

export function Timeline({ answer, onChoose }: TimelineProps) {
  const localization = useLocalization()
  const { translate, span } = localization
  const { buckets, step, isComplete } = answer
  return (
    <section class="timeline" aria-label={translate('timelineLabel')}>
      <Chart
        label={labelOf(localization, answer)}
        times={buckets.map(({ at }) => at)}
        step={step}
        layers={resultLayers(localization, buckets)}
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

/** Layers by result. Empty layers are omitted, except the first two. */
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

/** The accessible name, with totals. */
function labelOf(localization: Localization, { buckets }: TimelineAnswer): string {
  const sums = resultLayers(localization, buckets).map(({ name, counts }) => {
    return `${name} ${localization.count(counts.reduce((sum, n) => sum + n, 0))}`
  })
  return `${localization.translate('timelineLabel')}: ${sums.join(', ')}`
}
