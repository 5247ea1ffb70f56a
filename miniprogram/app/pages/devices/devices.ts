import type { DeviceSummary } from 'miniseal-client'
import { dayAndTime } from '../../i18n/dates'
import { chooseLanguage, language, texts } from '../../i18n/language'
import { fetchDevices, removeDevice, resetApp, signOut } from '../../services/devices'
import type { UserFacingError } from '../../services/errors'
import { errorMessage, loadError } from '../../services/errors'
import { settings } from '../../settings'

interface DeviceRow {
  readonly id: string
  readonly name: string
  /** A prefix of the key thumbprint. */
  readonly shortId: string
  readonly seen: string
}

Page({
  data: {
    t: texts().devices,
    language: language(),
    current: null as DeviceRow | null,
    others: null as readonly DeviceRow[] | null,
    error: null as UserFacingError | null,
    origin: settings.origin,
    root: (settings.roots[0] ?? '').slice(0, 16),
    skeleton: [
      [
        { type: 'circle', size: '72rpx' },
        { width: '82%', height: '36rpx' },
      ],
    ],
  },

  onShow() {
    this.translate()
    void this.load()
  },

  onPullDownRefresh() {
    void this.load().then(() => wx.stopPullDownRefresh())
  },

  translate() {
    const t = texts().devices
    this.setData({ t, language: language() })
    wx.setNavigationBarTitle({ title: t.title })
  },

  async load() {
    try {
      const devices = await fetchDevices()
      const own = devices.find(({ isCurrent }) => isCurrent)
      const others = devices.filter(({ isCurrent }) => !isCurrent)
      this.setData({
        current: own === undefined ? null : rowOf(own),
        others: others.map(rowOf),
        error: null,
      })
    } catch (error) {
      this.setData({ error: loadError(error, this.data.current !== null) })
    }
  },

  async onErrorAction({ detail }: WechatMiniprogram.CustomEvent<{ action: UserFacingError['action'] }>) {
    this.setData({ error: null, current: null, others: null })
    if (detail.action === 'sign-in') await resetApp()
    await this.load()
  },

  async remove({ currentTarget }: WechatMiniprogram.TouchEvent) {
    const { removeTitle, removeDetail, remove, removed } = texts().devices
    if (!(await confirmed(removeTitle, removeDetail, remove))) return
    try {
      await removeDevice(String(currentTarget.dataset.id))
      wx.showToast({ title: removed, icon: 'none' })
    } catch (error) {
      wx.showToast({ title: errorMessage(error), icon: 'none', duration: 3000 })
    }
    await this.load()
  },

  choose({ currentTarget }: WechatMiniprogram.TouchEvent) {
    chooseLanguage(currentTarget.dataset.language === 'en' ? 'en' : 'zh-CN')
    this.translate()
    void this.load()
  },

  async signOut() {
    const { signOutTitle, signOutDetail, signOut: label, signedOut } = texts().devices
    if (!(await confirmed(signOutTitle, signOutDetail, label))) return
    await signOut()
    wx.showToast({ title: signedOut, icon: 'none' })
    wx.reLaunch({ url: '/pages/wallet/wallet' })
  },
})

async function confirmed(title: string, content: string, confirmText: string): Promise<boolean> {
  const { confirm } = await wx.showModal({ title, content, confirmText, cancelText: texts().common.cancel })
  return confirm
}

function rowOf({ id, name, platform, lastSeenAt }: DeviceSummary): DeviceRow {
  const { platforms, lastSeen } = texts().devices
  const isPhone = ['ios', 'android', 'ohos'].includes(platform ?? '')
  const kind = isPhone ? platforms.phone : platform === 'browser' ? platforms.browser : platforms.other
  return {
    id,
    name: name ?? kind,
    shortId: id.slice(0, 8),
    seen: `${lastSeen} ${dayAndTime(lastSeenAt)}`,
  }
}
