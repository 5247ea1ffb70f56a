/** A report for a terminal, in one of two languages. Nothing here can steer the terminal: all that is untrusted was made printable. */
import type { Language } from '../messages/language.ts'
import type { Note } from './capture.ts'
import type { Difference } from './difference.ts'
import { isSecret, printable, shown } from './redaction.ts'
import type { Finding, Report, SignatureReport, Step, StepName } from './report.ts'
import { firstFailure } from './report.ts'
import type { SignatureKind } from './signed-members.ts'
import { messagesEn } from './words-en.ts'
import { messagesZh } from './words-zh.ts'

type Words = Readonly<
  Record<
    | StepName
    | SignatureKind
    | 'ok'
    | 'failed'
    | 'unknown'
    | 'good'
    | 'bad'
    | 'nothing'
    | 'cause'
    | 'step'
    | 'ours'
    | 'signer'
    | 'service'
    | 'differs'
    | 'end'
    | 'note'
    | 'told'
    | 'secret'
    | 'same',
    string
  >
>

const en: Words = {
  signature: 'Form, tag and coverage',
  window: 'Time',
  digest: 'Body against content-digest',
  key: 'Key',
  verify: 'Ed25519 signature',
  token: 'Access token',
  caller: 'Caller as in the token',
  device: 'The device’s signature',
  gateway: 'The gateway’s signature',
  push: 'A backend’s signature on a push',
  response: 'The service’s signature on the answer',
  ok: 'ok     ',
  failed: 'FAILED ',
  unknown: '-      ',
  good: 'No check fails.',
  bad: 'It fails at the step',
  nothing: 'Nothing is signed here.',
  cause: 'Likely cause: it fits when',
  step: 'Cause',
  ours: 'Signature base, of the captured message',
  signer: 'Signature base, as it was signed',
  service: 'Signature base, as the service computed it',
  differs: 'First byte that differs: offset {o}, line {l}, column {c}, in {n}: {a} here, {b} there',
  end: 'the end',
  note: 'Note',
  told: 'What the service computed',
  secret: 'the value is secret and not shown',
  same: 'The bases differ in the same way (--json has them).',
}

const zh: Words = {
  signature: '格式、用途与覆盖范围',
  window: '时间',
  digest: '正文与 content-digest',
  key: '密钥',
  verify: 'Ed25519 签名',
  token: '访问令牌',
  caller: '调用者与令牌一致',
  device: '设备的签名',
  gateway: '网关的签名',
  push: '后端推送的签名',
  response: '服务对应答的签名',
  ok: '通过   ',
  failed: '失败   ',
  unknown: '未检查 ',
  good: '没有失败的检查。',
  bad: '失败的步骤：',
  nothing: '这里没有签名。',
  cause: '可能的原因：在以下情况下相符',
  step: '原因',
  ours: '签名基串（由抓取的消息计算）',
  signer: '签名基串（实际签名的）',
  service: '签名基串（服务计算的）',
  differs: '第一个不同的字节：偏移 {o}，第 {l} 行第 {c} 列，位于 {n}：此处 {a}，那边 {b}',
  end: '结尾',
  note: '提示',
  told: '服务计算的结果',
  secret: '该值是秘密，不显示',
  same: '基串的不同之处同上（--json 中有全文）。',
}

const tables = {
  en: { words: en, findings: messagesEn },
  'zh-CN': { words: zh, findings: messagesZh },
} as const

/** The sentence of one finding. */
function sentence({ id, detail }: Finding | Note, language: Language): string {
  return tables[language].findings[id].replace('{}', () => printable(detail)).trim()
}

/** The whole report, without the part about a problem document. */
export function printReport(report: Report, language: Language): string {
  const { words } = tables[language]
  const lines: string[] = report.notes.map((note) => `${words.note}: ${sentence(note, language)}`)
  for (const finding of report.findings) lines.push(`${words.step}: ${sentence(finding, language)}`)
  for (const [index, signature] of report.signatures.entries()) {
    const before = report.signatures[index - 1]
    const isRepeated = before !== undefined && isSameCause(before, signature)
    lines.push('', ...signatureLines(signature, language, isRepeated))
  }
  if (report.signatures.length === 0 && report.problem === undefined) lines.push(words.nothing)
  return `${lines.join('\n').replace(/^\n+/, '')}\n`
}

/** Whether two signatures part from their bases in the same way, as they do when a proxy changed the request. */
function isSameCause(one: SignatureReport, two: SignatureReport): boolean {
  const causes = ({ steps }: SignatureReport): string =>
    JSON.stringify(steps.find(({ name }) => name === 'verify')?.findings ?? [])
  return one.difference !== undefined && two.difference !== undefined && causes(one) === causes(two)
}

/** @param isRepeated the bases differ as those before do, which are shown */
function signatureLines(
  signature: SignatureReport,
  language: Language,
  isRepeated: boolean,
): readonly string[] {
  const { words } = tables[language]
  const failure = firstFailure(signature.steps)
  const heading = `${words[signature.kind]} (${signature.label}, keyid ${signature.keyid || '-'})`
  return [
    heading,
    ...signature.steps.flatMap((step) => stepLines(step, language)),
    failure === undefined
      ? words.good
      : `${words.bad} ${failure.name}: ${failure.code ?? ''} (${failure.detail})`,
    ...(isRepeated ? [words.same] : baseLines(signature, language)),
    ...serviceLines(signature, language),
  ]
}

function stepLines({ name, outcome, detail, findings }: Step, language: Language): readonly string[] {
  const { words } = tables[language]
  const said = outcome === 'ok' ? detail : ''
  const isVerify = name === 'verify' && outcome === 'failed' && findings.some(({ id }) => isChange(id))
  const causes = findings.map((finding) => `         ${sentence(finding, language)}`)
  const line = `  ${words[outcome]}${words[name]}${said === '' ? '' : `: ${said}`}`
  return isVerify ? [line, `         ${words.cause}`, ...causes] : [line, ...causes]
}

/** Whether a finding says how what was signed differs. */
function isChange(id: string): boolean {
  return (
    /^(?:method|host|target|path|query|field|type|digest|status|parameters|created|base)/.test(id) &&
    !/^base-(?:differs|not)/.test(id)
  )
}

/** Both bases and the place where they part; one, where only one is known and it does not verify. */
function baseLines(
  { base, other, difference, steps }: SignatureReport,
  language: Language,
): readonly string[] {
  const { words } = tables[language]
  const hasFailed = steps.some(({ name, outcome }) => name === 'verify' && outcome === 'failed')
  if (!hasFailed && other === undefined) return []
  const ours = base === undefined ? [] : [`${words.ours}:`, ...indented(base)]
  const theirs = other === undefined ? [] : [`${words[other.whose]}:`, ...indented(other.base)]
  if (base === undefined || other === undefined || difference === undefined) return [...ours, ...theirs]
  return [...ours, ...theirs, ...differenceLines(base, other.base, difference, language)]
}

function indented(base: string): readonly string[] {
  return base.split('\n').map((line) => `    | ${line}`)
}

function differenceLines(
  ours: string,
  theirs: string,
  found: Difference,
  language: Language,
): readonly string[] {
  const { words } = tables[language]
  const parts: Readonly<Record<string, string>> = {
    o: String(found.offset),
    l: String(found.line),
    c: String(found.column),
    n: found.component === '' ? '?' : printable(found.component),
    a: byteText(found.ours, words.end),
    b: byteText(found.theirs, words.end),
  }
  const told = words.differs.replace(/\{([olcnab])\}/g, (_, name: string) => parts[name] ?? '')
  if (isSecret(found.component)) return [`${told.replace(/[:：][^:：]*$/, '')} (${words.secret})`]
  const excerpt = (text: string): string => {
    const line = text.split('\n')[found.line - 1] ?? ''
    return line.slice(Math.max(0, found.column - 41), found.column + 30)
  }
  const shift = Math.min(found.column - 1, 40)
  return [told, `    < ${excerpt(ours)}`, `    > ${excerpt(theirs)}`, `      ${' '.repeat(shift)}^`]
}

function byteText(byte: number | undefined, end: string): string {
  if (byte === undefined) return end
  const hex = `0x${byte.toString(16).padStart(2, '0')}`
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}" ${hex}` : hex
}

function serviceLines({ service }: SignatureReport, language: Language): readonly string[] {
  if (service === undefined) return []
  const { words } = tables[language]
  return [`${words.told}:`, ...service.map((finding) => `         ${sentence(finding, language)}`)]
}

/** A report as JSON: the ids for programs, the sentences for people. */
export function jsonOf(report: Report, language: Language): unknown {
  const said = ({ id, detail }: Finding | Note) => ({
    id,
    detail: shown(detail),
    text: sentence({ id, detail }, language),
  })
  return {
    ok: report.isGood,
    notes: report.notes.map(said),
    findings: report.findings.map(said),
    signatures: report.signatures.map((signature) => ({
      kind: signature.kind,
      label: signature.label,
      keyid: signature.keyid,
      failed: firstFailure(signature.steps)?.name ?? null,
      code: firstFailure(signature.steps)?.code ?? null,
      steps: signature.steps.map((step) => ({ ...step, findings: step.findings.map(said) })),
      base: signature.base ?? null,
      other: signature.other ?? null,
      difference: signature.difference ?? null,
      service: signature.service?.map(said) ?? null,
    })),
  }
}
