/** Leaves and groups of the audit log that must be refused, for tests and for the test vectors. */

import { decodeUtf8 } from '../../../crypto/text.ts'
import type { AuditLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import { encodeLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import { fixed } from './fixed-inputs.ts'

/** A text that no parser may take. */
export interface RefusedText {
  readonly title: string
  readonly text: string
}

export function titled(pairs: readonly (readonly [string, string])[]): readonly RefusedText[] {
  return pairs.map(([title, text]) => ({ title, text }))
}

const id = '019ab1c2-d3e4-7f50-8a6b-7c8d9e0f1a2b'

/** A leaf with nothing that may be left out. */
export const plainLeaf: AuditLeaf = { id, kind: 'request', result: 'ok', retention: '1y', at: 1764000000123 }

/** A leaf with everything. */
export const fullLeaf: AuditLeaf = {
  ...plainLeaf,
  app: 'wx0123456789abcdef',
  commitments: {
    sub: fixed('sub'),
    core: fixed('core'),
    pay: fixed('pay'),
    sig: fixed('sig'),
    net: fixed('net'),
  },
  facts: { to: 3, from: 1, n: 17 },
}

const good = decodeUtf8(encodeLeaf(fullLeaf))

export const refusedLeaves: readonly RefusedText[] = titled([
  ['nothing', ''],
  ['no JSON', good.slice(0, -1)],
  ['something behind', `${good} `],
  ['a space', good.replace(',"r"', ', "r"')],
  ['a list', `[${good}]`],
  ['null', 'null'],
  ['a member twice', good.replace('"k":"request"', '"k":"login","k":"request"')],
  ['another order', good.replace('"k":"request","r":"ok"', '"r":"ok","k":"request"')],
  ['another order of groups', good.replace(/("core":"[^"]+"),("net":"[^"]+")/, '$2,$1')],
  ['another order of facts', good.replace('"from":1,"n":17', '"n":17,"from":1')],
  ['an unknown member', good.replace('"v":1', '"v":1,"w":1')],
  ['an escape', good.replace('"request"', '"reque\\u0073t"')],
  ['another version', good.replace('"v":1', '"v":2')],
  ['no version', good.replace(',"v":1', '')],
  ['an unknown kind', good.replace('"request"', '"requests"')],
  ['a kind of Object', good.replace('"request"', '"toString"')],
  ['an unknown result', good.replace('"r":"ok"', '"r":"fine"')],
  ['a null result', good.replace('"r":"ok"', '"r":null')],
  ['a retention of nothing', good.replace('"1y"', '"0y"')],
  ['a retention without a unit', good.replace('"1y"', '"190"')],
  ['a retention in weeks', good.replace('"1y"', '"2w"')],
  ['no id', good.replace(`"id":"${id}",`, '')],
  ['an id in capitals', good.replace(id, id.toUpperCase())],
  ['an id of version 4', good.replace('-7f50-', '-4f50-')],
  ['an id of another variant', good.replace('-8a6b-', '-ca6b-')],
  ['a time with a fraction', good.replace('1764000000123', '1764000000123.5')],
  ['a time with an exponent', good.replace('1764000000123', '1764000000e3')],
  ['a time as text', good.replace('1764000000123', '"1764000000123"')],
  ['a negative time', good.replace('1764000000123', '-1')],
  ['a time that is not safe', good.replace('1764000000123', '9007199254740992')],
  ['no time', good.replace('"ts":1764000000123,', '')],
  ['an empty app', good.replace('"wx0123456789abcdef"', '""')],
  ['an app with a quote', good.replace('wx0123456789abcdef', 'wx\\"')],
  ['an app of null', good.replace('"wx0123456789abcdef"', 'null')],
  ['no commitment in c', good.replace(/"c":\{[^}]+\}/, '"c":{}')],
  ['an unknown group', good.replace('"core":', '"body":')],
  ['a group of the prototype', good.replace('"core":', '"__proto__":')],
  ['a short commitment', good.replace(/"core":"[^"]+"/, '"core":"AAAA"')],
  ['a commitment as a list', good.replace(/"core":"[^"]+"/, '"core":[]')],
  ['no fact in x', good.replace('{"from":1,"n":17,"to":3}', '{}')],
  ['a fact in capitals', good.replace('"n":17', '"N":17')],
  ['a fact of the prototype', good.replace('"from":1', '"__proto__":1')],
  ['a fact with a fraction', good.replace('"n":17', '"n":1.5')],
  ['a fact of minus zero', good.replace('"n":17', '"n":-0')],
  ['a fact of null', good.replace('"n":17', '"n":null')],
  ['a fact of true', good.replace('"n":17', '"n":true')],
  ['a fact in depth', good.replace('"n":17', '"n":{"m":1}')],
  ['a fact that is not ASCII', good.replace('"n":17', '"n":"\\u5348"')],
  ['a fact that is too long', good.replace('"n":17', `"n":"${'a'.repeat(257)}"`)],
])

export const refusedGroups: readonly RefusedText[] = titled([
  ['nothing', ''],
  ['a list', '[]'],
  ['a space', '{ "a":1}'],
  ['another order', '{"b":1,"a":2}'],
  ['a member twice', '{"a":1,"a":1}'],
  ['a needless escape', '{"a":"\\u0061"}'],
  ['an escape in capitals', '{"a":"\\u000F"}'],
  ['an escaped slash', '{"a":"\\/"}'],
  ['a lone surrogate', '{"a":"\\ud800"}'],
  ['a number with a fraction', '{"a":0.5}'],
  ['a number with an exponent', '{"a":1e3}'],
  ['a number that is not safe', '{"a":9007199254740993}'],
  ['minus zero', '{"a":-0}'],
  ['depth', '{"a":{}}'],
  ['null', '{"a":null}'],
  ['true', '{"a":true}'],
  ['no name', '{"":1}'],
  ['a name in capitals', '{"A":1}'],
  ['a name of the prototype', '{"__proto__":1}'],
  ['a number as a name', '{"1":1}'],
])
