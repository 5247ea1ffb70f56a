/** `npm run docs`: writes the generated files. A test checks that the committed files are current. */
import { readFileSync, writeFileSync } from 'node:fs'
import { generatedFiles } from './generated-files.ts'

for (const [path, generate] of Object.entries(generatedFiles)) {
  const isPart = path.endsWith('.md')
  writeFileSync(path, generate(isPart ? readFileSync(path, 'utf8') : ''))
}
