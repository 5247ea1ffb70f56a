import { dayAndTime } from '../../i18n/dates'
import { texts } from '../../i18n/language'
import type { Contact } from '../../services/chat'
import { fetchContacts, fetchProfile } from '../../services/chat'
import { resetApp } from '../../services/devices'
import { onEvent, onLive, startEvents } from '../../services/events'
import type { UserFacingError } from '../../services/failures'
import { isNetworkError, toUserFacingError } from '../../services/failures'
import { initialOf } from '../../services/initials'
import { unreadOf } from '../../services/unread'

interface ContactRow {
  readonly user: string
  readonly name: string
  readonly initial: string
  readonly last: string
  readonly time: string
  readonly unread: number
}

let endings: readonly (() => void)[] = []

Page({
  data: {
    t: texts().messages,
    addName: texts().name.add,
    contacts: null as readonly ContactRow[] | null,
    name: '',
    isLive: false,
    isNaming: false,
    trouble: null as UserFacingError | null,
    skeleton: [
      [
        { type: 'circle', size: '88rpx' },
        { width: '82%', height: '36rpx' },
      ],
    ],
  },

  onLoad() {
    endings = [onLive((isLive) => this.setData({ isLive })), onEvent('chat-message', () => void this.load())]
  },

  onShow() {
    const { messages, name } = texts()
    this.setData({ t: messages, addName: name.add })
    wx.setNavigationBarTitle({ title: messages.title })
    void this.load()
  },

  onUnload() {
    for (const end of endings) end()
  },

  onPullDownRefresh() {
    void this.load().then(() => wx.stopPullDownRefresh())
  },

  async load() {
    try {
      const [profile, contacts] = await Promise.all([fetchProfile(), fetchContacts()])
      this.setData({ name: profile.name, contacts: contacts.map(rowOf), trouble: null })
      void startEvents()
    } catch (error) {
      // What was loaded stays on the screen; the bar on top tells that there is no network.
      const isShown = this.data.contacts === null || !isNetworkError(error)
      this.setData({ trouble: isShown ? toUserFacingError(error) : null })
    }
  },

  async onTrouble({ detail }: WechatMiniprogram.CustomEvent<{ action: UserFacingError['action'] }>) {
    this.setData({ trouble: null, contacts: null })
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

  /** Who writes has a name: the other one could not tell who it is. */
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
