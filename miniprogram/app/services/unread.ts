/** Unread message counts, for the tab badge and the contact list. */
import { parseMessage } from './chat'
import { onEvent } from './events'

const messagesTab = 1

const counts = new Map<string, number>()
let shown: string | undefined

/** Called once, at launch. */
export function countUnread(): void {
  onEvent('chat-message', (data) => {
    const { from } = parseMessage(data)
    if (from === shown) return
    counts.set(from, unreadOf(from) + 1)
    emit()
  })
}

export function unreadOf(user: string): number {
  return counts.get(user) ?? 0
}

/** Sets the visible conversation; `undefined` when there is none. */
export function showConversation(user: string | undefined): void {
  shown = user
  if (user === undefined || !counts.delete(user)) return
  emit()
}

function emit(): void {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  if (total === 0) wx.removeTabBarBadge({ index: messagesTab })
  else wx.setTabBarBadge({ index: messagesTab, text: total > 99 ? '99+' : String(total) })
}
