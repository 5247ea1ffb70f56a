/** An error with its reason and an action. */
import type { UserFacingError } from '../../services/errors'

const none: UserFacingError = { title: '', detail: '', action: '', actionLabel: '' }

Component({
  properties: { error: { type: Object, value: none } },
  methods: {
    onAction() {
      this.triggerEvent('action', { action: (this.data.error as UserFacingError).action })
    },
  },
})
