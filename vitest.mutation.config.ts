import { defineConfig } from 'vitest/config'

/** The quick tests of a room: what its mutants are judged by (stryker.config.mjs). */
const tests = {
  crypto: [
    'test/crypto/*.test.ts',
    'test/fuzz/targets.test.ts',
    'test/outside/signature-judges.test.ts',
    'test/vectors/{vectors,sealing-vectors,log-vectors}.test.ts',
  ],
  exchange: [
    'test/service/{channel,idempotency,lost-requests,replays,refusals,openings,step-up,login-risk,devices}.test.ts',
    'test/service/log-{leaves,refused}.test.ts',
  ],
}

export default defineConfig({
  test: {
    include: process.env.MINISEAL_ROOM === 'exchange' ? tests.exchange : tests.crypto,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
