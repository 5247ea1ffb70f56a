/** A report as text for a terminal or a log, and as JSON. All untrusted text is printable. */
import type { Locale } from './locales/en.ts'
import { isSecret, printable, redact } from './redaction.ts'
import type { Difference, Finding, FindingId, Report, SignatureReport, Step } from './types.ts'
import { firstFailure } from './types.ts'

function sentence({ id, detail }: Finding, { findings }: Locale): string {
  return findings[id].replace('{}', () => printable(detail)).trim()
}

/** The report without its problem document. */
export function printReport(report: Report, locale: Locale): string {
  const { labels } = locale
  const lines: string[] = report.notes.map((note) => `${labels.note}: ${sentence(note, locale)}`)
  for (const finding of report.findings) lines.push(`${labels.finding}: ${sentence(finding, locale)}`)
  for (const [index, signature] of report.signatures.entries()) {
    const before = report.signatures[index - 1]
    const isRepeated = before !== undefined && isSameCause(before, signature)
    lines.push('', ...signatureLines(signature, locale, isRepeated))
  }
  if (report.signatures.length === 0 && report.problem === undefined) lines.push(labels.unsigned)
  return `${lines.join('\n').replace(/^\n+/, '')}\n`
}

/** Whether two signatures differ from their bases in the same way, as after a change by a proxy. */
function isSameCause(one: SignatureReport, two: SignatureReport): boolean {
  const causes = ({ steps }: SignatureReport): string =>
    JSON.stringify(steps.find(({ name }) => name === 'verify')?.findings ?? [])
  return one.difference !== undefined && two.difference !== undefined && causes(one) === causes(two)
}

/** @param isRepeated omits the bases: those of the previous signature differ in the same way */
function signatureLines(signature: SignatureReport, locale: Locale, isRepeated: boolean): readonly string[] {
  const { labels } = locale
  const failure = firstFailure(signature.steps)
  return [
    `${labels[signature.kind]} (${signature.label}, keyid ${signature.keyid || '-'})`,
    ...signature.steps.flatMap((step) => stepLines(step, locale)),
    failure === undefined
      ? labels.good
      : `${labels.bad} ${failure.name}: ${failure.code ?? ''} (${failure.detail})`,
    ...(isRepeated ? [labels.same] : baseLines(signature, locale)),
    ...(signature.service === undefined ? [] : [`${labels.serviceResult}:`]),
    ...(signature.service ?? []).map((finding) => `         ${sentence(finding, locale)}`),
  ]
}

function stepLines({ name, outcome, detail, findings }: Step, locale: Locale): readonly string[] {
  const { labels } = locale
  const suffix = outcome === 'ok' && detail !== '' ? `: ${detail}` : ''
  const isExplained = name === 'verify' && outcome === 'failed' && findings.some(({ id }) => isChange(id))
  return [
    `  ${labels[outcome]}${labels[name]}${suffix}`,
    ...(isExplained ? [`         ${labels.cause}`] : []),
    ...findings.map((finding) => `         ${sentence(finding, locale)}`),
  ]
}

/** Whether a finding names a difference of what was signed. */
function isChange(id: FindingId): boolean {
  return (
    /^(?:method|host|target|path|query|field|type|digest|status|parameters|created|base)/.test(id) &&
    !/^base-(?:differs|not)/.test(id)
  )
}

/** Both bases and their first difference; the base of the capture alone when no other is known. */
function baseLines({ base, other, difference, steps }: SignatureReport, locale: Locale): readonly string[] {
  const { labels } = locale
  const hasFailed = steps.some(({ name, outcome }) => name === 'verify' && outcome === 'failed')
  if (!hasFailed && other === undefined) return []
  const ours = base === undefined ? [] : [`${labels.ours}:`, ...indented(base)]
  const theirs = other === undefined ? [] : [`${labels[other.whose]}:`, ...indented(other.base)]
  if (base === undefined || other === undefined || difference === undefined) return [...ours, ...theirs]
  return [...ours, ...theirs, ...differenceLines(base, other.base, difference, locale)]
}

function indented(base: string): readonly string[] {
  return base.split('\n').map((line) => `    | ${line}`)
}

function differenceLines(
  ours: string,
  theirs: string,
  { offset, line, column, component, ours: a, theirs: b }: Difference,
  { labels }: Locale,
): readonly string[] {
  const values: Readonly<Record<string, string>> = {
    o: String(offset),
    l: String(line),
    c: String(column),
    n: component === '' ? '?' : printable(component),
    a: byteText(a, labels.end),
    b: byteText(b, labels.end),
  }
  const text = labels.differs.replace(/\{([olcnab])\}/g, (_, name: string) => values[name] ?? '')
  if (isSecret(component)) return [`${text.replace(/[:：][^:：]*$/, '')} (${labels.secret})`]
  const excerpt = (base: string): string =>
    (base.split('\n')[line - 1] ?? '').slice(Math.max(0, column - 41), column + 30)
  const shift = ' '.repeat(Math.min(column - 1, 40))
  return [text, `    < ${excerpt(ours)}`, `    > ${excerpt(theirs)}`, `      ${shift}^`]
}

function byteText(byte: number | undefined, end: string): string {
  if (byte === undefined) return end
  const hex = `0x${byte.toString(16).padStart(2, '0')}`
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}" ${hex}` : hex
}

/** A report as JSON: ids for programs, sentences for people. */
export function jsonOf(report: Report, locale: Locale): object {
  const withText = (finding: Finding) => ({
    id: finding.id,
    detail: redact(finding.detail),
    text: sentence(finding, locale),
  })
  return {
    ok: report.isGood,
    notes: report.notes.map(withText),
    findings: report.findings.map(withText),
    signatures: report.signatures.map(({ steps, base, other, difference, service, ...signature }) => ({
      ...signature,
      failed: firstFailure(steps)?.name ?? null,
      code: firstFailure(steps)?.code ?? null,
      steps: steps.map((step) => ({ ...step, findings: step.findings.map(withText) })),
      base: base ?? null,
      other: other ?? null,
      difference: difference ?? null,
      service: service?.map(withText) ?? null,
    })),
  }
}
