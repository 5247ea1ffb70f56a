/** `npm run test:payments -- [--payments N]`: prints what became of the payments, and exits with 1 when one is wrong. */
import { parseArgs } from 'node:util'
import { runPayments } from './run.ts'

const { values } = parseArgs({ options: { payments: { type: 'string', default: '1000' } } })
const payments = Number(values.payments)
if (!Number.isSafeInteger(payments) || payments < 1) throw new Error('--payments is a whole number from 1')

const { stderr } = process
const started = Date.now()
const seconds = (): number => Math.round((Date.now() - started) / 1000)

function tell(begun: number, kills: number): void {
  const line = `${begun} of ${payments} payments, ${kills} kills, ${seconds()} s`
  if (stderr.isTTY) stderr.write(`\r\u001b[K${line}`)
  else if (begun % Math.ceil(payments / 10) === 0) stderr.write(`${line}\n`)
}

const { wrong, network, people, ...sums } = await runPayments(payments, tell)
if (stderr.isTTY) stderr.write('\r\u001b[K')
for (const part of [{ ...sums, seconds: seconds() }, network, people, wrong]) {
  console.log(
    Object.entries(part)
      .map(([name, count]) => `${name} ${count}`)
      .join('  '),
  )
}
const mistakes = Object.values(wrong).reduce((sum, count) => sum + count, 0)
console.log(mistakes === 0 ? 'ok: everything that people were told is true' : `${mistakes} are wrong`)
process.exitCode = mistakes === 0 ? 0 : 1
