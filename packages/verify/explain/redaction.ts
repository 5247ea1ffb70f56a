/** Redacts reports: tokens and confirmations appear as digests, and no text can control a terminal. */
import { createHash } from 'node:crypto'

const secretComponents: ReadonlySet<string> = new Set([
  'authorization',
  'step-up',
  'cookie',
  'proxy-authorization',
])

/** A JWT anywhere in a text. */
const token = /[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{12,}/g

export function isSecret(component: string): boolean {
  return secretComponents.has(component)
}

/** A signature base, or any text, without secrets and control characters. */
export function redact(text: string): string {
  return text.split('\n').map(redactLine).join('\n')
}

function redactLine(line: string): string {
  const [, head = '', name = '', value = ''] = /^("([^"]{1,64})"[^:]*:\s*)(.*)$/s.exec(line) ?? []
  if (!isSecret(name)) return printable(line.replace(token, digestOf))
  const [, scheme = ''] = /^([A-Za-z]{1,16} )?/.exec(value) ?? []
  return printable(`${head}${scheme}${digestOf(value.slice(scheme.length))}`)
}

/** Identifies a secret without showing it. */
export function digestOf(secret: string): string {
  const digest = createHash('sha256').update(secret, 'utf8').digest('hex').slice(0, 12)
  return `<${secret.length} characters, sha256 ${digest}…>`
}

/** Escapes control characters and characters that change the direction of text. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  })
}
