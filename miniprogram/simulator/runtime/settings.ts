/** Which of the two phones this is, and which service it talks to. */

/** From the address: `phone.html#b`. */
export const phone = location.hash === '#b' ? 'b' : 'a'

export interface ServiceSettings {
  readonly origin: string
  readonly appid: string
  readonly roots: readonly string[]
}

/** What the app would have been built with, asked of the service that shows this page. */
export async function fetchSettings(): Promise<ServiceSettings> {
  const answer = await fetch('settings', { cache: 'no-store' })
  return (await answer.json()) as ServiceSettings
}

/** @returns the parsed answer of one of the service's routes for this page. @throws Error for a refusal. */
export async function post(path: string, body: object): Promise<object> {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
  return (await answer.json()) as object
}
