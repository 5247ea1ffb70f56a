/** How the demo's handlers send events: what the service gives to every backend that is mounted in it. */

export interface PushedEvent {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** See `push` of the running service. */
export type Push = (user: string, event: PushedEvent, options: { readonly id: string }) => Promise<unknown>

/**
 * Tells somebody of what has happened already. That it cannot be told is no reason to fail: who was not told finds it
 * when they look.
 */
export async function notifyUser(push: Push, user: string, event: PushedEvent, id: string): Promise<void> {
  await push(user, event, { id }).catch(() => undefined)
}
