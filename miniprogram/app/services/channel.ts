/** The one channel of the app: made once, shared by all pages. */
import { createChannel } from 'miniseal-client'
import { settings } from '../settings'

export const channel = createChannel(settings)
