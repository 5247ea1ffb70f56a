import { clockTime } from '../../i18n/dates'
import { texts } from '../../i18n/language'
import { newKey } from '../../services/channel'
import type { Message } from '../../services/chat'
import { fetchMessages, keyAfter, parseMessage, sendMessage } from '../../services/chat'
import type { UserFacingError } from '../../services/errors'
import { toUserFacingError } from '../../services/errors'
import { onEvent } from '../../services/events'
import { showConversation } from '../../services/unread'

interface MessageRow {
  /** The message id; the idempotency key of a pending message. */
  readonly key: string
  readonly isOwn: boolean
  readonly text: string
  readonly state: 'sent' | 'sending' | 'failed'
  readonly caption: string
}

interface Outgoing {
  key: string
  readonly text: string
  isFailed: boolean
}

/** The state of the page: messages of the service, then pending ones. */
const page = {
  user: '',
  name: '',
  messages: [] as Message[],
  outgoing: [] as Outgoing[],
  unsubscribe: (): void => {},
  scroll: 0,
}

Page({
  data: {
    t: texts().messages,
    messages: [] as readonly MessageRow[],
    draft: '',
    scrollTop: 0,
    error: null as UserFacingError | null,
  },

  onLoad(query: Record<string, string | undefined>) {
    const user = decodeURIComponent(query.user ?? '')
    const name = decodeURIComponent(query.name ?? '')
    Object.assign(page, { user, name, messages: [], outgoing: [] })
    this.setData({ t: texts().messages })
    wx.setNavigationBarTitle({ title: name })
    page.unsubscribe = onEvent('chat-message', (data) => {
      const message = parseMessage(data)
      if (message.from === user) this.add(message)
    })
  },

  onShow() {
    showConversation(page.user)
    void this.load()
  },

  onHide() {
    showConversation(undefined)
  },

  onUnload() {
    showConversation(undefined)
    page.unsubscribe()
  },

  async load() {
    this.setData({ error: null })
    try {
      for (const message of await fetchMessages(page.user)) this.insert(message)
    } catch (error) {
      // Keep the messages that are already shown.
      if (page.messages.length === 0) this.setData({ error: toUserFacingError(error) })
    }
    this.draw()
  },

  onDraft({ detail }: WechatMiniprogram.CustomEvent<{ value: string }>) {
    this.setData({ draft: detail.value })
  },

  async onSend() {
    const text = this.data.draft.trim()
    if (text === '') return
    this.setData({ draft: '' })
    const message: Outgoing = { key: await newKey(), text, isFailed: false }
    page.outgoing.push(message)
    await this.send(message)
  },

  async resend({ currentTarget }: WechatMiniprogram.TouchEvent) {
    const message = page.outgoing.find(({ key, isFailed }) => isFailed && key === currentTarget.dataset.key)
    if (message !== undefined) await this.send(message)
  },

  async send(message: Outgoing) {
    message.isFailed = false
    this.draw()
    try {
      const sent = await sendMessage(page.user, message.text, message.key)
      page.outgoing = page.outgoing.filter((other) => other !== message)
      this.insert(sent)
    } catch (error) {
      message.key = await keyAfter(error, message.key)
      message.isFailed = true
    }
    this.draw()
  },

  pay() {
    wx.navigateTo({ url: `/pages/transfer/transfer?payee=${encodeURIComponent(page.name)}` })
  },

  add(message: Message) {
    this.insert(message)
    this.draw()
  },

  /** Adds a message without duplicates, in the service's order. */
  insert(message: Message) {
    if (page.messages.some(({ id }) => id === message.id)) return
    page.messages = [...page.messages, message].sort((one, other) => one.position - other.position)
  },

  draw() {
    page.scroll += 100_000
    const messages = [...page.messages.map(sentRow), ...page.outgoing.map(outgoingRow)]
    this.setData({ messages, scrollTop: page.scroll })
  },
})

function sentRow({ id, from, text, createdAt }: Message): MessageRow {
  return { key: id, isOwn: from !== page.user, text, state: 'sent', caption: clockTime(createdAt) }
}

function outgoingRow({ key, text, isFailed }: Outgoing): MessageRow {
  const { sending, failed } = texts().messages
  return {
    key,
    isOwn: true,
    text,
    state: isFailed ? 'failed' : 'sending',
    caption: isFailed ? failed : sending,
  }
}
