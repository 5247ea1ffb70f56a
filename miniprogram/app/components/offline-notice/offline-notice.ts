/** A bar that is shown while the phone is offline. */
import { texts } from '../../i18n/language'
import { onNetwork } from '../../services/network'

const subscriptions = new WeakMap<object, () => void>()

Component({
  data: { online: true, text: '' },
  lifetimes: {
    attached() {
      const stop = onNetwork((online) => this.setData({ online, text: texts().common.offline }))
      subscriptions.set(this, stop)
    },
    detached() {
      subscriptions.get(this)?.()
    },
  },
  pageLifetimes: {
    show() {
      this.setData({ text: texts().common.offline })
    },
  },
})
