/** The bar that tells that there is no network. */
import { texts } from '../../i18n/language'
import { onNetwork } from '../../services/network'

const endings = new WeakMap<object, () => void>()

Component({
  data: { online: true, text: '' },
  lifetimes: {
    attached() {
      const stop = onNetwork((online) => this.setData({ online, text: texts().common.offline }))
      endings.set(this, stop)
    },
    detached() {
      endings.get(this)?.()
    },
  },
  pageLifetimes: {
    show() {
      this.setData({ text: texts().common.offline })
    },
  },
})
