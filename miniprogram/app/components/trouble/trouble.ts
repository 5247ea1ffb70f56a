/** What could not be loaded, why, and what may be done. */
import type { UserFacingError } from '../../services/failures'

const nothing: UserFacingError = { title: '', detail: '', action: '', actionLabel: '' }

Component({
  properties: { trouble: { type: Object, value: nothing } },
  methods: {
    onAction() {
      this.triggerEvent('action', { action: (this.data.trouble as UserFacingError).action })
    },
  },
})
