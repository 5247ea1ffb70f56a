import { dayAndTime } from '../../i18n/dates'
import { texts } from '../../i18n/language'
import { formatFen } from '../../money/fen'
import { fetchProfile, initialOf } from '../../services/chat'
import { resetApp } from '../../services/devices'
import type { UserFacingError } from '../../services/errors'
import { loadError } from '../../services/errors'
import { onEvent, startEvents } from '../../services/events'
import { onNetwork } from '../../services/network'
import { findPending } from '../../services/transfers'
import type { Transfer, Wallet } from '../../services/wallet'
import { fetchTransfers, fetchWallet } from '../../services/wallet'

/** After this many milliseconds, the page shows that the network is slow. */
const slowAfter = 4_000

interface TransferRow {
  readonly id: string
  readonly peer: string
  /** Fen; negative for sent transfers. */
  readonly amount: number
  readonly time: string
  readonly initial: string
}

interface PendingRow {
  readonly payee: string
  readonly amount: string
}

const page = { subscriptions: [] as readonly (() => void)[], isLoading: false, hasAskedName: false }

Page({
  data: {
    t: texts().wallet,
    wallet: null as Wallet | null,
    name: '',
    isNaming: false,
    transfers: null as readonly TransferRow[] | null,
    error: null as UserFacingError | null,
    pending: null as PendingRow | null,
    waitingText: '',
    skeleton: [
      [
        { type: 'circle', size: '80rpx' },
        { width: '82%', height: '36rpx' },
      ],
    ],
  },

  onLoad() {
    let wasOnline = true
    page.subscriptions = [
      onNetwork((isOnline) => {
        if (isOnline && !wasOnline) void this.load()
        wasOnline = isOnline
      }),
      onEvent('transfer-received', () => void this.load()),
    ]
  },

  onShow() {
    const t = texts().wallet
    this.setData({ t, waitingText: t.checking, pending: pendingRow() })
    wx.setNavigationBarTitle({ title: t.title })
    void this.load()
  },

  onUnload() {
    for (const end of page.subscriptions) end()
  },

  onPullDownRefresh() {
    void this.load().then(() => wx.stopPullDownRefresh())
  },

  /** Keeps the shown content while loading. */
  async load() {
    if (page.isLoading) return
    page.isLoading = true
    const timer = setTimeout(() => this.setData({ waitingText: texts().wallet.slow }), slowAfter)
    try {
      const [wallet, transfers, profile] = await Promise.all([
        fetchWallet(),
        fetchTransfers(),
        fetchProfile(),
      ])
      this.setData({ wallet, transfers: transfers.map(rowOf), name: profile.name, error: null })
      if (profile.name === '') this.askNameOnce()
      void startEvents()
    } catch (error) {
      this.setData({ error: loadError(error, this.data.transfers !== null), waitingText: '' })
    } finally {
      clearTimeout(timer)
      page.isLoading = false
    }
  },

  async onErrorAction({ detail }: WechatMiniprogram.CustomEvent<{ action: UserFacingError['action'] }>) {
    this.setData({ error: null, waitingText: texts().wallet.checking })
    // A removed device needs a new key.
    if (detail.action === 'sign-in') await resetApp()
    await this.load()
  },

  askNameOnce() {
    if (page.hasAskedName) return
    page.hasAskedName = true
    this.setData({ isNaming: true })
  },

  onNameClosed() {
    this.setData({ isNaming: false })
  },

  onNamed({ detail }: WechatMiniprogram.CustomEvent<{ name: string }>) {
    this.setData({ isNaming: false, name: detail.name })
  },

  copyAccount() {
    const { wallet, name } = this.data
    if (wallet === null) return
    wx.setClipboardData({
      data: name === '' ? wallet.user : name,
      success: () => wx.showToast({ title: texts().common.copied, icon: 'none' }),
    })
  },

  openTransfer() {
    wx.navigateTo({ url: '/pages/transfer/transfer' })
  },

  openPending() {
    wx.navigateTo({ url: '/pages/transfer/transfer?pending=1' })
  },

  openReceipt({ currentTarget }: WechatMiniprogram.TouchEvent) {
    wx.navigateTo({ url: `/pages/receipt/receipt?id=${encodeURIComponent(currentTarget.dataset.id)}` })
  },
})

function rowOf({ id, peer, amount, createdAt }: Transfer): TransferRow {
  return { id, peer, amount, time: dayAndTime(createdAt), initial: initialOf(peer) }
}

function pendingRow(): PendingRow | null {
  const order = findPending()
  return order === undefined ? null : { payee: order.payee, amount: formatFen(order.amount) }
}
