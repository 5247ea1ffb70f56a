/** Runs TypeScript and JavaScript of the documents with a test service. */
import { transform } from 'esbuild'
import type { TestService } from '../../support/service.ts'
import type { Block } from './documents.ts'
import { readDocument } from './documents.ts'
import { placeOf } from './snippets.ts'

/** The `nth` block of a place that is a program. */
export function block(place: string, nth = 0): Block {
  const [document = ''] = place.split('#')
  const found = readDocument(document).blocks.filter((each) => {
    return ['ts', 'js'].includes(each.language) && placeOf(each) === place
  })[nth]
  if (found === undefined) throw new Error(`${place} has no such block`)
  return found
}

/** Replaces the origin and root key of the example by those of `service`. */
export function placed(text: string, service: TestService): string {
  return text
    .replaceAll('https://pay.example.com', service.origin)
    .replaceAll('wss://pay.example.com', service.origin.replace('http', 'ws'))
    .replace(/'<(root key|根公钥)>'/g, service.roots.map((each) => `'${each}'`).join(', '))
}

/** Runs a block in a function with the variables `given`. @returns the value of the expression `gives` */
export async function run(
  text: string,
  service: TestService,
  given: Readonly<Record<string, unknown>>,
  gives = 'undefined',
): Promise<unknown> {
  const code = `return (async () => {\n${placed(text, service)}\nreturn ${gives}\n})()`
  const plain = (await transform(`(function () {${code}})`, { loader: 'ts' })).code
  return await new Function(...Object.keys(given), `return ${plain.trim().replace(/;$/, '')}()`)(
    ...Object.values(given),
  )
}
