/** The context in which each TypeScript and JavaScript block of the documents compiles. */
import type { Block } from './documents.ts'

/** The document and heading of a block; a heading may have several blocks. */
export function placeOf({ document, heading }: Block): string {
  return `${document}#${heading}`
}

export interface Snippet {
  readonly realm: 'phone' | 'node'
  /** Declarations of names that the surrounding text introduces. */
  readonly given?: string
}

const channel = "declare const channel: import('miniseal-client').Channel\n"

/** In the order of the blocks. */
export const snippets: Readonly<Record<string, readonly Snippet[]>> = {
  'crypto/README.md#Example': [{ realm: 'node' }],
  'packages/verify/README.md#Without a framework': [
    {
      realm: 'node',
      given: "declare const request: import('node:http').IncomingMessage\ndeclare const body: Buffer\n",
    },
  ],
  'packages/verify/README.md#Adapters': [
    { realm: 'node' },
    { realm: 'node' },
    { realm: 'node' },
    { realm: 'node' },
    {
      realm: 'node',
      given: `import { NestFactory } from '@nestjs/core'
import { MinisealGuard, MinisealRefusalFilter } from 'miniseal-verify/nest'
declare const AppModule: new () => object
`,
    },
  ],
  'docs/guides/node.md#Mounted': [{ realm: 'node' }],
  'docs/guides/integration.md#Verifying for yourself': [
    {
      realm: 'node',
      given: "declare const request: import('node:http').IncomingMessage\ndeclare const body: Buffer\n",
    },
  ],
  'docs/guides/explain.md#In your backend': [
    {
      realm: 'node',
      given: `import { createVerifier } from 'miniseal-verify'
declare const request: import('node:http').IncomingMessage
declare const log: { warn(fields: object, text: string): void }
declare const origin: string
declare const body: Uint8Array
`,
    },
  ],
  'docs/guides/integration.md#Mounted': [{ realm: 'node' }],
  'docs/guides/integration.md#Step-up authentication': [
    {
      realm: 'node',
      given: `declare const app: import('miniseal').InnerApp
declare const limit: number
declare function readOrder(c: unknown): Promise<{ payee: string; amount: number }>
declare function yuan(amount: number): string
`,
    },
  ],
  'docs/guides/integration.md#Pushing events': [
    {
      realm: 'node',
      given: `import { createService } from 'miniseal'
declare const app: import('miniseal').InnerApp
declare const user: string
`,
    },
    { realm: 'node' },
  ],
  'docs/guides/mini-program.md#Ten lines to the first call': [{ realm: 'phone' }],
  'docs/guides/mini-program.md#Step-up authentication': [
    {
      realm: 'phone',
      given: `${channel}declare const order: object\ndeclare function showSheet(summary: string): Promise<boolean>\n`,
    },
  ],
  'docs/guides/mini-program.md#Events': [
    {
      realm: 'phone',
      given: `${channel}declare let last: number\ndeclare function show(data: object): void\ndeclare function reload(): void\n`,
    },
  ],
  'docs/guides/mini-program.md#Events on the wire': [{ realm: 'phone' }],
  'docs/guides/mini-program.md#Receipts': [
    {
      realm: 'phone',
      given: `${channel}declare const answer: import('miniseal-client').Answer & { receipt: string }\n`,
    },
  ],
  'docs/guides/mini-program.md#WeChat cloud hosting': [
    { realm: 'phone', given: "declare const options: import('miniseal-client').ChannelOptions\n" },
  ],
  'docs/guides/mini-program.md#Phone number and encrypted data': [{ realm: 'phone', given: channel }],
  'docs/guides/mini-program.md#Errors': [
    {
      realm: 'phone',
      given: `${channel}declare function showProblem(answer: unknown): void\ndeclare function offerRetry(again: () => unknown): void\n`,
    },
  ],
  'docs/guides/mini-program.md#Cancelling and querying the outcome': [{ realm: 'phone', given: channel }],
  'docs/guides/mini-program.md#Devices and sessions': [{ realm: 'phone', given: channel }],
  'miniprogram/client/README.md#十行代码，第一次调用': [{ realm: 'phone' }],
  'miniprogram/client/README.md#Ten lines to the first call': [{ realm: 'phone' }],
}
