/**
 * The tests in tiers: `npm test` runs the projects `unit` and `integration*`, `npm run test:e2e` runs `e2e`, `processes` and
 * `postgres`, `npm run test:long` runs `long`. CONTRIBUTING.md says what belongs where.
 */
import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** The test files below `test/` whose text matches. */
function filesWith(folders: RegExp, text: RegExp): string[] {
  return readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((file) => folders.test(file) && file.endsWith('.test.ts'))
    .map((file) => `test/${file}`)
    .filter((file) => text.test(readFileSync(file, 'utf8')))
}

/** Suites for both engines: `integration` runs them on SQLite, `postgres` on PostgreSQL. */
const engineSuites = filesWith(/^(?:integration|long)\//, /describe(?:OnBothEngines|WithBothDatabases)\(/)

/** Files that start the service or other programs as processes: each start costs seconds of CPU. */
const withProcesses = filesWith(
  /^integration\//,
  /\b(?:startServiceProcess|startMeasuredProcess|runMiniseal|startWriter|compiledMain)\b|execFileSync\('python3'/,
)

/** A mock of a module, or a look at which modules are loaded, needs a process of its own. */
const withMocks = filesWith(/^integration\//, /\bvi\.mock\(|\bcache \} = createRequire\(/)

/** Databases of tests need no disk: an fsync in memory takes 0.1 ms instead of several. */
const memoryFolder = hasSpace('/dev/shm') ? { TMPDIR: '/dev/shm' } : {}

function hasSpace(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize > 2 ** 31
  } catch {
    return false
  }
}

/** The long tests run in `e2e`, too: each for seconds. */
const fewRounds = {
  TEST_CRASH_ROUNDS: '4',
  TEST_CHAOS_TRANSFERS: '40',
  TEST_FLOOD_SECONDS: '3',
  TEST_PAYMENTS: '40',
}

const globalSetup = 'test/support/global-setup.ts'

export default defineConfig({
  // The sources of the workspaces instead of their build output.
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source', 'node', 'development|production'] } },
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/conformance/vectors/*.test.ts'],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: [...withMocks, ...withProcesses],
          // One import of the service for all files of a worker.
          isolate: false,
          env: memoryFolder,
          globalSetup,
        },
      },
      {
        extends: true,
        test: { name: 'integration-mocks', include: withMocks, env: memoryFolder, globalSetup },
      },
      {
        extends: true,
        test: { name: 'processes', include: withProcesses, isolate: false, env: memoryFolder, globalSetup },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: engineSuites,
          isolate: false,
          env: { ...memoryFolder, ...fewRounds, TEST_ENGINES: 'postgres' },
          globalSetup,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: [
            'test/e2e/**/*.test.ts',
            'test/conformance/{judges,independent}/*.test.ts',
            'test/long/**/*.test.ts',
            'bench/**/*.test.ts',
          ],
          isolate: false,
          env: fewRounds,
          // Browsers, compilers and package managers.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          globalSetup,
        },
      },
      {
        extends: true,
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          env: { TEST_ENGINES: 'sqlite,postgres' },
          testTimeout: 600_000,
          globalSetup,
        },
      },
    ],
  },
})
