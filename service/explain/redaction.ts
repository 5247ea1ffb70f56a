/** What may be shown of a base: tokens and confirmations appear as digests, and nothing can steer a terminal. */
import { createHash } from 'node:crypto'

const secretComponents: ReadonlySet<string> = new Set([
  'authorization',
  'step-up',
  'cookie',
  'proxy-authorization',
])

/** Three parts of base64url with dots between: a JWT, wherever it stands. */
const token = /[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{12,}/g

/** Whether the value of this component is never shown. */
export function isSecret(component: string): boolean {
  return secretComponents.has(component)
}

/** A base, or any text, without its secrets and without control characters. */
export function shown(text: string): string {
  return text.split('\n').map(shownLine).join('\n')
}

function shownLine(line: string): string {
  const [, head = '', name = '', value = ''] = /^("([^"]{1,64})"[^:]*:\s*)(.*)$/s.exec(line) ?? []
  if (!isSecret(name)) return printable(line.replace(token, digestOf))
  const [, scheme = ''] = /^([A-Za-z]{1,16} )?/.exec(value) ?? []
  return printable(`${head}${scheme}${digestOf(value.slice(scheme.length))}`)
}

/** Enough to see whether two are the same, and not what they are. */
export function digestOf(secret: string): string {
  const digest = createHash('sha256').update(secret, 'utf8').digest('hex').slice(0, 12)
  return `<${secret.length} characters, sha256 ${digest}…>`
}

/** Control characters and what turns the direction of text are written as escapes. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  })
}
