/** Events of the demo's handlers. */

export interface PushedEvent {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** `push` of the running service. */
export type Push = (user: string, event: PushedEvent, options: { readonly id: string }) => Promise<unknown>

/** Pushes an event about something that is done already. A failure is ignored: the user sees it on the next visit. */
export async function notifyUser(push: Push, user: string, event: PushedEvent, id: string): Promise<void> {
  await push(user, event, { id }).catch(() => undefined)
}
