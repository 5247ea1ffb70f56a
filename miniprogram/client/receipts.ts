/** Fetching a receipt: not at once where the log has not taken the entry yet, and with the logs' keys of now. */
import type { Answer } from './answer.ts'
import type { Configurations } from './configurations.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import type { Receipt } from './receipt.ts'
import { verifyReceipt } from './receipt.ts'
import type { Requests } from './requests.ts'
import { startPause } from './timers.ts'

/** How long an entry takes to get into the log, and how often that is waited for. */
const PENDING_MS = 1000
const MAX_WAITS = 5

/**
 * Fetches and checks.
 *
 * @param id from {@link Answer.receipt}
 * @returns a receipt of any state: a `failed` one is for a person to see
 * @throws ChannelError `not_found` where the service has none, `request_invalid` for what is no id.
 */
export async function fetchReceipt(
  environment: Environment,
  configurations: Configurations,
  requests: Requests,
  id: string,
): Promise<Receipt> {
  if (!/^[A-Za-z0-9_-]{43}$/.test(id)) throw new ChannelError('request_invalid', 'not the id of a receipt')
  const answer = await inTheLog(requests, id)
  const primitives = await environment.loadPrimitives()
  const configuration = await configurations.current()
  const receipt = verifyReceipt(primitives, id, answer.bytes, configuration.log)
  if (receipt.state !== 'failed') return receipt
  // The log may have another key since the configuration was fetched, or another log may have begun.
  const newer = await configurations.newerThan(configuration)
  return verifyReceipt(primitives, id, answer.bytes, newer.log)
}

async function inTheLog(requests: Requests, id: string): Promise<Answer> {
  for (let waits = 0; ; waits++) {
    const answer = await requests.send({ method: 'GET', path: `/receipts/${id}`, cache: 'none' })
    if (answer.status === 200 || (answer.status === 202 && waits >= MAX_WAITS)) return answer
    if (answer.status !== 202) {
      throw new ChannelError('unexpected_answer', 'the receipt was not given as agreed', {
        status: answer.status,
      })
    }
    await startPause(PENDING_MS).over
  }
}
