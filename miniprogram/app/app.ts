import { applyLanguage } from './i18n/language'
import { watchNetwork } from './services/network'

App({
  onLaunch() {
    watchNetwork()
    applyLanguage()
  },
})
