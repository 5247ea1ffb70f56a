/** The phone of this page, and the service that serves it. */

/** From the URL fragment: `phone.html#b`. */
export const phone = location.hash === '#b' ? 'b' : 'a'

export interface ServiceSettings {
  readonly origin: string
  readonly appid: string
  readonly roots: readonly string[]
}

/** Fetches the app settings from the service. */
export async function fetchSettings(): Promise<ServiceSettings> {
  const answer = await fetch('settings', { cache: 'no-store' })
  return (await answer.json()) as ServiceSettings
}

/** Calls a demo route of the service. @returns the parsed answer. @throws Error for an error status */
export async function post(path: string, body: object): Promise<object> {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
  return (await answer.json()) as object
}
