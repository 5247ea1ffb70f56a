import { clockTime } from '../../i18n/dates'
import { texts } from '../../i18n/language'
import type { Message } from '../../services/chat'
import { fetchMessages, keyAfter, parseMessage, sendMessage } from '../../services/chat'
import { onEvent } from '../../services/events'
import type { UserFacingError } from '../../services/failures'
import { toUserFacingError } from '../../services/failures'
import { newKey } from '../../services/keys'
import { showConversation } from '../../services/unread'

interface MessageRow {
  /** The message's id; for one that is on its way its idempotency key. */
  readonly key: string
  readonly isOwn: boolean
  readonly text: string
  readonly state: 'sent' | 'sending' | 'failed'
  readonly under: string
}

interface Outgoing {
  key: string
  readonly text: string
  isFailed: boolean
}

/** What is shown, in order: what the service has, then what is on its way. */
const page = {
  user: '',
  name: '',
  messages: [] as Message[],
  outgoing: [] as Outgoing[],
  end: (): void => {},
  scroll: 0,
}

Page({
  data: {
    t: texts().messages,
    messages: [] as readonly MessageRow[],
    draft: '',
    scrollTop: 0,
    trouble: null as UserFacingError | null,
  },

  onLoad(query: Record<string, string | undefined>) {
    const user = decodeURIComponent(query.user ?? '')
    const name = decodeURIComponent(query.name ?? '')
    Object.assign(page, { user, name, messages: [], outgoing: [] })
    this.setData({ t: texts().messages })
    wx.setNavigationBarTitle({ title: name })
    page.end = onEvent('chat-message', (data) => {
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
    page.end()
  },

  async load() {
    this.setData({ trouble: null })
    try {
      for (const message of await fetchMessages(page.user)) this.keep(message)
    } catch (error) {
      // What is on the screen is true all the same.
      if (page.messages.length === 0) this.setData({ trouble: toUserFacingError(error) })
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
      this.keep(sent)
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
    this.keep(message)
    this.draw()
  },

  /** Each once, in the order of the service. */
  keep(message: Message) {
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
  return { key: id, isOwn: from !== page.user, text, state: 'sent', under: clockTime(createdAt) }
}

function outgoingRow({ key, text, isFailed }: Outgoing): MessageRow {
  const { sending, failed } = texts().messages
  return {
    key,
    isOwn: true,
    text,
    state: isFailed ? 'failed' : 'sending',
    under: isFailed ? failed : sending,
  }
}
