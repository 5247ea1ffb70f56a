import { dayAndTime } from '../../i18n/dates'
import { texts } from '../../i18n/language'
import type { Contact } from '../../services/chat'
import { fetchContacts, fetchProfile, initialOf } from '../../services/chat'
import { resetApp } from '../../services/devices'
import type { UserFacingError } from '../../services/errors'
import { loadError } from '../../services/errors'
import { onEvent, onLive, startEvents } from '../../services/events'
import { unreadOf } from '../../services/unread'

interface ContactRow {
  readonly user: string
  readonly name: string
  readonly initial: string
  readonly last: string
  readonly time: string
  readonly unread: number
}

let subscriptions: readonly (() => void)[] = []

Page({
  data: {
    t: texts().messages,
    addName: texts().name.add,
    contacts: null as readonly ContactRow[] | null,
    name: '',
    isLive: false,
    isNaming: false,
    error: null as UserFacingError | null,
    skeleton: [
      [
        { type: 'circle', size: '88rpx' },
        { width: '82%', height: '36rpx' },
      ],
    ],
  },

  onLoad() {
    subscriptions = [
      onLive((isLive) => this.setData({ isLive })),
      onEvent('chat-message', () => void this.load()),
    ]
  },

  onShow() {
    const { messages, name } = texts()
    this.setData({ t: messages, addName: name.add })
    wx.setNavigationBarTitle({ title: messages.title })
    void this.load()
  },

  onUnload() {
    for (const end of subscriptions) end()
  },

  onPullDownRefresh() {
    void this.load().then(() => wx.stopPullDownRefresh())
  },

  async load() {
    try {
      const [profile, contacts] = await Promise.all([fetchProfile(), fetchContacts()])
      this.setData({ name: profile.name, contacts: contacts.map(rowOf), error: null })
      void startEvents()
    } catch (error) {
      this.setData({ error: loadError(error, this.data.contacts !== null) })
    }
  },

  async onErrorAction({ detail }: WechatMiniprogram.CustomEvent<{ action: UserFacingError['action'] }>) {
    this.setData({ error: null, contacts: null })
    if (detail.action === 'sign-in') await resetApp()
    await this.load()
  },

  askName() {
    this.setData({ isNaming: true })
  },

  onNameClosed() {
    this.setData({ isNaming: false })
  },

  onNamed({ detail }: WechatMiniprogram.CustomEvent<{ name: string }>) {
    this.setData({ isNaming: false, name: detail.name })
  },

  /** A chat requires a name, so that the recipient can identify the sender. */
  open({ currentTarget }: WechatMiniprogram.TouchEvent) {
    const { user, name } = currentTarget.dataset
    if (this.data.name === '') this.setData({ isNaming: true })
    else
      wx.navigateTo({
        url: `/pages/chat/chat?user=${encodeURIComponent(user)}&name=${encodeURIComponent(name)}`,
      })
  },
})

function rowOf({ user, name, lastMessage }: Contact): ContactRow {
  return {
    ...{ user, name, initial: initialOf(name), unread: unreadOf(user) },
    last: lastMessage?.text ?? texts().messages.noMessages,
    time: lastMessage === undefined ? '' : dayAndTime(lastMessage.createdAt),
  }
}
