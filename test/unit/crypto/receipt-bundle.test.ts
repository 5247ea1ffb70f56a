import { expect, it } from 'vitest'
import { bundleClient } from '../../../miniprogram/build/bundle.ts'
import { checkBundle } from '../../../miniprogram/build/check-bundle.ts'

const entry = 'test/unit/crypto/receipt-check.ts'

it('the bundle of a receipt check is small and uses no global that phones or browsers lack', async () => {
  const bundle = await bundleClient(entry)
  const { bytes, gzipped, problems } = await checkBundle(bundle)
  // It is checked as if it were the client, which it is not.
  const expected = [`unexpected input ${entry}`, 'createChannel is not exported']
  expect(problems.filter((problem) => !expected.includes(problem))).toEqual([])
  expect(bytes, `${bytes} bytes`).toBeLessThan(24 * 1024)
  expect(gzipped, `${gzipped} bytes gzipped`).toBeLessThan(9 * 1024)
})
