import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Most tests wait for a process, a disk or a browser: on a machine of two cores one worker leaves one idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
