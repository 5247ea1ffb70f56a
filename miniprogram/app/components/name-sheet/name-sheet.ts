/** A sheet to choose the user's display name. */
import { texts } from '../../i18n/language'
import { chooseName } from '../../services/chat'
import { errorMessage } from '../../services/errors'

/** Letters and digits of any script, `_`, `.` and `-`. */
const namePattern = /^[^\s!-,/:-@[-^`{-~]{1,20}$/

Component({
  properties: { visible: { type: Boolean, value: false } },
  data: { t: texts().name, name: '', problem: '', isSaving: false },
  observers: {
    visible(visible: boolean) {
      if (visible) this.setData({ t: texts().name, problem: '' })
    },
  },
  methods: {
    onVisible({ detail }: WechatMiniprogram.CustomEvent<{ visible: boolean }>) {
      if (!detail.visible) this.triggerEvent('close')
    },

    onInput({ detail }: WechatMiniprogram.CustomEvent<{ value: string }>) {
      this.setData({ name: detail.value, problem: '' })
    },

    async onSave() {
      const name = this.data.name.trim()
      const { invalid, taken } = texts().name
      if (!namePattern.test(name)) {
        this.setData({ problem: invalid })
        return
      }
      this.setData({ isSaving: true })
      try {
        const profile = await chooseName(name)
        if (profile === undefined) this.setData({ problem: taken })
        else this.triggerEvent('saved', { name: profile.name })
      } catch (error) {
        this.setData({ problem: errorMessage(error) })
      } finally {
        this.setData({ isSaving: false })
      }
    },
  },
})
