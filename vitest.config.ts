import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // The workspaces' sources, not what was built from them.
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source', 'node', 'development|production'] } },
  test: {
    include: ['test/**/*.test.ts', 'bench/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // What is waited for comes soon on an idle machine; on a busy one it is waited for longer.
    expect: { poll: { timeout: 60_000 } },
    // Most tests wait for a process, a disk or a browser: on a machine of two cores one worker leaves one idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
