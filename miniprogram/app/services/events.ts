/** The app's event subscription. Continues after the last event of the previous launch. */
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

/** Subscribes; does nothing if already subscribed. Pages report failures. */
export async function startEvents(): Promise<void> {
  if (handle !== undefined || isStarting) return
  isStarting = true
  try {
    const { user } = await channel.login()
    const key = `events-${user}`
    const stored: unknown = wx.getStorageSync(key)
    const after = typeof stored === 'number' ? stored : await newest()
    handle = channel.events(after, (event) => {
      dispatch(event)
      wx.setStorage({ key, data: event.sequence })
    })
  } catch {
    // The visible page reports the same failure.
  } finally {
    isStarting = false
  }
}

/** Unsubscribes, for sign-out. */
export function stopEvents(): void {
  handle?.close()
  handle = undefined
}

/** Calls `listener` with the data of each event of `type`. @returns a function that removes the listener */
export function onEvent(type: string, listener: Listener): () => void {
  const set = listeners.get(type) ?? new Set()
  listeners.set(type, set.add(listener))
  return () => {
    set.delete(listener)
  }
}

/** Calls `listener` now and on each change of the connection. @returns a function that removes the listener */
export function onLive(listener: (isLive: boolean) => void): () => void {
  liveListeners.add(listener)
  listener(isLive)
  return () => {
    liveListeners.delete(listener)
  }
}

/** A new phone starts with the newest event. */
async function newest(): Promise<number> {
  const answer = await channel.request({ method: 'GET', path: '/events?after=0&limit=1', cache: 'none' })
  return integer(objectOf(answer).last)
}

/** Unknown event types are ignored. */
function dispatch({ type, data }: ChannelEvent): void {
  for (const listener of [...(listeners.get(type) ?? [])]) listener(data)
}
