import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The quick tests of each area: they judge its mutants (stryker.config.mjs). */
const tests = {
  crypto: [
    'test/unit/crypto/*.test.ts',
    'test/unit/fuzz/targets.test.ts',
    'test/conformance/judges/signature-judges.test.ts',
    'test/conformance/vectors/{vectors,sealing-vectors,log-vectors}.test.ts',
  ],
  exchange: [
    'test/integration/service/{channel,idempotency,lost-requests,replays,refusals,openings,step-up,login-risk,devices,explain-signature-base,receipts,methods,stale-sessions,metrics,step-up-handlers}.test.ts',
    'test/integration/service/log-{leaves,erasure,fail-closed}.test.ts',
  ],
}

/** Of those, the ones that take a second and more, or three where a service is started. */
const slow =
  /\/(merkle|vectors|audit-leaf|binary-http|primitives|primitives-strictness|handshake|targets|tiles|devices|login-risk|step-up|step-up-handlers|methods|metrics|log-fail-closed)\.test\.ts$/

/** A mutant is dropped with the first test that fails, so the slow ones come last. */
class QuickestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.sort((one, other) => Number(slow.test(one.moduleId)) - Number(slow.test(other.moduleId)))
  }
}

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source', 'node', 'development|production'] } },
  test: {
    include: process.env.TEST_AREA === 'exchange' ? tests.exchange : tests.crypto,
    isolate: false,
    sequence: { sequencer: QuickestFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
