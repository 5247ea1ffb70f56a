/** `GET /receipts/{id}`: the audit log's proof of one of the caller's own requests (protocol, section 12). */
import { pendingReceipt, provedReceipt } from '../../tlog/receipts.ts'
import { defineRoute } from './route.ts'

export const receiptRoutes = [
  defineRoute({
    id: 'readReceipt',
    method: 'GET',
    path: '/receipts/{id}',
    tag: 'receipts',
    summary: 'Get the log entry of one of the user’s own requests, with its proof',
    parameter: 'The UUID of the entry, or b64u of the leaf hash in the field miniseal-receipt of the answer.',
    replies: { 200: provedReceipt, 202: pendingReceipt },
    async handler({ receipts }, { caller, parameter }) {
      return { reply: await receipts.read(parameter, caller.user), writes: [] }
    },
  }),
]
