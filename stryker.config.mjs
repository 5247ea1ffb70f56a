/**
 * Mutation testing, one area at a time: `TEST_AREA=crypto npx stryker run`, and the same for `exchange`. One file:
 * `--mutate crypto/frames/frame.ts`. docs/internals/assurance.md has the scores.
 */
const area = process.env.TEST_AREA ?? 'crypto'
const mutate = { crypto: ['crypto/**/*.ts'], exchange: ['service/channel/**/*.ts'] }

export default {
  mutate: mutate[area],
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner', './stryker-messages.mjs'],
  ignorers: ['messages'],
  vitest: { configFile: 'vitest.mutation.config.ts' },
  coverageAnalysis: 'perTest',
  // Mutants that only a new start of every test file would show: tables and patterns. Vectors pin those.
  ignoreStatic: true,
  // Tests with a service wait for it now and then.
  concurrency: area === 'exchange' ? 3 : 2,
  timeoutMS: 8_000,
  // TypeScript 7 has no interface for programs, which Stryker asks to rewrite a tsconfig; nothing here is compiled by one.
  tsconfigFile: 'none.json',
  tempDirName: '.stryker-tmp',
  reporters: [process.stdout.isTTY ? 'progress' : 'progress-append-only', 'clear-text', 'json'],
  jsonReporter: { fileName: `node_modules/.cache/stryker/${area}.json` },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
}
