import { applyLanguage, texts } from './i18n/language'
import { formatFen } from './money/fen'
import { onEvent } from './services/events'
import { watchNetwork } from './services/network'
import { countUnread } from './services/unread'
import { parseReceived } from './services/wallet'

App({
  onLaunch() {
    watchNetwork()
    applyLanguage()
    countUnread()
    onEvent('transfer-received', (data) => {
      const { peer, amount } = parseReceived(data)
      wx.showToast({
        title: `${texts().messages.received} ¥${formatFen(amount)}\n${peer}`,
        icon: 'none',
        duration: 3000,
      })
    })
  },
})
