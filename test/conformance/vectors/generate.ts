/**
 * Writes the test vectors. Every run writes the same bytes: seeds, nonces and times are fixed
 * (`test/unit/crypto/fixed-inputs.ts`).
 *
 * `npx tsx --conditions=source test/conformance/vectors/generate.ts` after a change of the protocol; `vectors.test.ts` fails while the files are not what this writes.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configurationVectors } from './make/configuration.ts'
import { frameVectors } from './make/frames.ts'
import { gatewayVectors } from './make/gateway-cases.ts'
import { handshakeVectors } from './make/handshake.ts'
import { keyVectors } from './make/keys.ts'
import { logVectors } from './make/log.ts'
import { messageVectors } from './make/messages.ts'
import { paddingVectors } from './make/padding.ts'
import { sessionVectors } from './make/session.ts'
import { refusalVectors, requestVectors, responseVectors } from './make/signed-messages.ts'

/** By the name of the file without `.json`. */
export const makers = {
  configuration: configurationVectors,
  frames: frameVectors,
  gateway: gatewayVectors,
  handshake: handshakeVectors,
  keys: keyVectors,
  log: logVectors,
  messages: messageVectors,
  padding: paddingVectors,
  refusals: refusalVectors,
  request: requestVectors,
  response: responseVectors,
  session: sessionVectors,
} as const

export type VectorName = keyof typeof makers

export function vectorPath(name: VectorName): string {
  return fileURLToPath(new URL(`./${name}.json`, import.meta.url))
}

/** The exact text of a file. */
export function vectorText(name: VectorName): string {
  return `${JSON.stringify(makers[name](), null, 2)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of Object.keys(makers) as VectorName[]) writeFileSync(vectorPath(name), vectorText(name))
}
