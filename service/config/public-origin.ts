/** The public origin, as an operator gives it. */
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'

/** Without the port that its scheme has anyway. @throws Error with a message for the operator. */
export function parseOrigin(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    authorityOf(text)
    new URL(text)
  } catch {
    throw new Error('MINISEAL_ORIGIN must be scheme://host[:port] in lower case, without a path')
  }
  if (text.startsWith('http:') && !isLoopback(text))
    throw new Error('MINISEAL_ORIGIN must be https, or on loopback')
  return text.replace(/^(https:.*):443$/, '$1').replace(/^(http:.*):80$/, '$1')
}

/** Whether a URL names this machine. */
export function isLoopback(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname)
}
