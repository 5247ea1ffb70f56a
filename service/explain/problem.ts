/** Explains a problem document of the service: the meaning of its code, and the actions of client and operator. */
import { printable, type ServiceProblem } from 'miniseal-verify/explain'
import { findProblemCode, type Language, problemRow } from '../problems/catalogue.ts'

const labels = {
  en: {
    refused: 'The service refused the request',
    step: 'at the step',
    means: 'Means',
    client: 'Client',
    operator: 'Operator',
    repeat: 'Retryable',
    yes: 'yes',
    no: 'no',
    unknown: 'The code is not one of the service: a problem document of a backend, or a newer service.',
    more: 'For details, give the request with --request FILE.',
  },
  'zh-CN': {
    refused: '请求被服务拒绝',
    step: '步骤',
    means: '含义',
    client: '客户端',
    operator: '运维',
    repeat: '可以重试',
    yes: '可以',
    no: '不可以',
    unknown: '服务没有这个错误码：问题文档来自后端，或服务的版本更新。',
    more: '用 --request FILE 给出请求可以得到更多信息。',
  },
} as const

/** @param isAlone without the request */
export function printProblem(problem: ServiceProblem, language: Language, isAlone: boolean): string {
  const text = labels[language]
  const code = findProblemCode(problem.code)
  const step = problem.step === undefined ? '' : `, ${text.step} ${printable(problem.step)}`
  const detail = problem.detail === undefined ? [] : [`  ${printable(problem.detail)}`]
  const head = [`${text.refused}: ${printable(problem.code)}${step}`, ...detail]
  if (code === undefined) return `${[...head, text.unknown].join('\n')}\n`
  const { means, client, operator } = problemRow(code).texts[language]
  const lines = [
    ...head,
    `${text.means}: ${means}`,
    `${text.client}: ${client}`,
    `${text.operator}: ${operator}`,
    `${text.repeat}: ${problemRow(code).isRetryable ? text.yes : text.no}`,
    ...(isAlone && isAboutSignature(problemRow(code).steps) ? [text.more] : []),
  ]
  return `${lines.join('\n').replaceAll('`', '').replaceAll('**', '')}\n`
}

function isAboutSignature(steps: readonly string[]): boolean {
  return steps.some((step) => ['signature', 'window', 'digest', 'key', 'verify', 'token'].includes(step))
}

export function problemJson({ code, step, detail }: ServiceProblem, language: Language): unknown {
  const document = { code, step: step ?? null, detail: detail ?? null }
  const known = findProblemCode(code)
  if (known === undefined) return document
  const { texts, isRetryable } = problemRow(known)
  const { means, client, operator } = texts[language]
  return { ...document, means, client, operator, retryable: isRetryable }
}
