/** Counts the tests of vitest reports (JSON), `N passed, N failed`; fails when a test was skipped. */
import { readFileSync } from 'node:fs'

const reports = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, 'utf8')))
const skipped = reports
  .flatMap(({ testResults }) => testResults)
  .flatMap(({ assertionResults }) => assertionResults)
  .filter(({ status }) => status !== 'passed' && status !== 'failed')
for (const { fullName } of skipped) console.error(`skipped: ${fullName}`)
if (skipped.length > 0) process.exitCode = 1

const sum = (count) => reports.reduce((total, report) => total + report[count], 0)
console.log(`${sum('numPassedTests')} passed, ${sum('numFailedTests')} failed`)
