/** Counts the tests of a vitest report (JSON). None may be skipped here, but in a file that failed and so runs again. */
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed`)
const skipped = report.testResults
  .filter(({ status }) => status === 'passed')
  .flatMap(({ assertionResults }) => assertionResults)
  .filter(({ status }) => status !== 'passed')
for (const { fullName } of skipped) console.error(`skipped, and here none may be: ${fullName}`)
if (skipped.length > 0) process.exitCode = 1
