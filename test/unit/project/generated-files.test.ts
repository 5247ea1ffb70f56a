/** Files that `npm run docs` writes from the catalogue of problem codes and the routes of the channel. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { generatedFiles } from '../../../service/reference/generated-files.ts'

it.each(Object.entries(generatedFiles))('%s is what npm run docs writes', (path, generate) => {
  const committed = readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
  expect(committed).toBe(generate(committed))
})
