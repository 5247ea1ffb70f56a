/** What the service tells this user as it happens: one stream for the app, from where it ended the last time. */
import type { ChannelEvent, EventHandle } from 'miniseal-client'
import { channel } from './channel'
import type { JsonObject } from './json'
import { integer, objectOf } from './json'

type Listener = (data: JsonObject) => void

const listeners = new Map<string, Set<Listener>>()
const liveListeners = new Set<(isLive: boolean) => void>()
let isLive = false
let handle: EventHandle | undefined
let isStarting = false

channel.on('socket', (state) => {
  isLive = state === 'open'
  for (const listener of [...liveListeners]) listener(isLive)
})

/** Listens from now on; calling it again does nothing while it listens. Failures are for the pages to tell. */
export async function startEvents(): Promise<void> {
  if (handle !== undefined || isStarting) return
  isStarting = true
  try {
    const { user } = await channel.login()
    const key = `events-${user}`
    const kept: unknown = wx.getStorageSync(key)
    const after = typeof kept === 'number' ? kept : await newest()
    handle = channel.events(after, (event) => {
      dispatch(event)
      wx.setStorage({ key, data: event.sequence })
    })
  } catch {
    // The page that is shown has met the same failure, and tells it.
  } finally {
    isStarting = false
  }
}

/** When nobody is logged in any more. */
export function stopEvents(): void {
  handle?.close()
  handle = undefined
}

/** Calls `listener` with the data of each event of `type`. @returns a function that ends this. */
export function onEvent(type: string, listener: Listener): () => void {
  const those = listeners.get(type) ?? new Set()
  listeners.set(type, those.add(listener))
  return () => {
    those.delete(listener)
  }
}

/** Calls `listener` now and with every change: whether events come as they happen. @returns a function that ends this. */
export function onLive(listener: (isLive: boolean) => void): () => void {
  liveListeners.add(listener)
  listener(isLive)
  return () => {
    liveListeners.delete(listener)
  }
}

/** On a phone that is new to this user what is past is past. */
async function newest(): Promise<number> {
  const answer = await channel.request({ method: 'GET', path: '/events?after=0&limit=1', cache: 'none' })
  return integer(objectOf(answer).last)
}

/** Types that this version does not know are left alone. */
function dispatch({ type, data }: ChannelEvent): void {
  for (const listener of [...(listeners.get(type) ?? [])]) listener(data)
}
