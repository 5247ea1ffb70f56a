/** The test files of a vitest report (JSON) in which something failed, one a line, relative to the project. */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const { testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
for (const { name, status } of testResults) if (status === 'failed') console.log(relative('.', name))
