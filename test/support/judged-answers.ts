/** Validates responses with Ajv, a dependency of the OpenAPI validator. */
import { createRequire } from 'node:module'

/** The used part of Ajv. */
interface Judge {
  addSchema(schema: unknown, key: string): Judge
  validate(key: string, value: unknown): boolean
  errorsText(): string
}

const own = createRequire(import.meta.url)
const beside = createRequire(own.resolve('@seriousme/openapi-schema-validator'))
const { default: Ajv2020 } = beside('ajv/dist/2020.js') as { default: new (options: object) => Judge }
const { default: addFormats } = beside('ajv-formats') as { default: (judge: Judge) => void }

/** Validates values against the schemas of a document. @returns the violations as text, empty for none */
export function judgeOf(document: unknown): (pointer: string, value: unknown) => string {
  const judge = new Ajv2020({ strict: false, allErrors: true })
  addFormats(judge)
  judge.addSchema(document, 'document')
  return (pointer, value) => (judge.validate(`document#${pointer}`, value) ? '' : judge.errorsText())
}

/** A JSON pointer within a URI fragment (RFC 6901, section 6). */
export function pointer(...names: readonly (string | number)[]): string {
  return names
    .map((name) => `/${encodeURIComponent(String(name).replaceAll('~', '~0').replaceAll('/', '~1'))}`)
    .join('')
}
