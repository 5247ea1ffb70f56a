/** `npm run docs`: writes docs/reference/openapi.json. A test holds that the committed file is what this writes. */
import { writeFileSync } from 'node:fs'
import { openApiText } from './openapi-file.ts'

writeFileSync('docs/reference/openapi.json', openApiText())
