/** The vectors, checked by a Python program with its own parsers and cryptography. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { requirePython } from '../../support/required-tool.ts'
import type { VectorName } from '../vectors/generate.ts'
import { makers } from '../vectors/generate.ts'

const folder = fileURLToPath(new URL('../vectors', import.meta.url))
const script = fileURLToPath(new URL('./vectors.py', import.meta.url))
const names = Object.keys(makers).sort() as VectorName[]

requirePython()

interface Line {
  readonly check: VectorName
  readonly ok: boolean
  readonly vectors?: number
  readonly error?: string
}

function check(directory: string): { readonly code: number | null; readonly lines: readonly Line[] } {
  const { status, stdout } = spawnSync('python3', ['-B', script, directory], { encoding: 'utf8' })
  const lines = stdout
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
  return { code: status, lines: lines.slice(0, -1) as Line[] }
}

/** One change for each file that its check must detect: the first match is replaced. */
const changes: Readonly<Record<VectorName, readonly [RegExp, string]>> = {
  configuration: [/"signature": "../, '"signature": "zz'],
  frames: [/"code": "malformed_frame"/, '"code": "frame_too_large"'],
  gateway: [/"code": "token_expired"/, '"code": null'],
  handshake: [/"th": "[0-9a-f]{64}"/, `"th": "${'0'.repeat(64)}"`],
  keys: [/"valid": false/, '"valid": true'],
  log: [/"hash": "[0-9a-f]{64}"/, `"hash": "${'0'.repeat(64)}"`],
  messages: [/"method": "GET"/, '"method": "PUT"'],
  padding: [/272/, '273'],
  refusals: [/"code": "tag_invalid"/, '"code": "signature_invalid"'],
  request: [/@path\\": \/wallet/, '@path\\": /Wallet'],
  response: [/@status\\": 201/, '@status\\": 200'],
  session: [/"sequence": 7/, '"sequence": 8'],
}

describe('the independent client', () => {
  it('the independent client agrees with every vector of every file', { timeout: 120_000 }, () => {
    const { code, lines } = check(folder)
    expect(lines.filter(({ ok }) => !ok)).toEqual([])
    expect(lines.map(({ check: name }) => name)).toEqual(names)
    for (const { check: name, vectors = 0 } of lines) expect(vectors, name).toBeGreaterThan(3)
    expect(code).toBe(0)
  })

  it('the independent client disagrees when one value of any file was changed', { timeout: 120_000 }, () => {
    const copy = mkdtempSync(join(tmpdir(), 'miniseal-vectors-'))
    try {
      for (const name of names) {
        cpSync(join(folder, `${name}.json`), join(copy, `${name}.json`))
        const text = readFileSync(join(copy, `${name}.json`), 'utf8')
        const changed = text.replace(...changes[name])
        expect(changed, name).not.toBe(text)
        writeFileSync(join(copy, `${name}.json`), changed)
      }
      const { code, lines } = check(copy)
      expect(lines.filter(({ ok }) => ok)).toEqual([])
      expect(lines).toHaveLength(names.length)
      expect(code).toBe(1)
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  })
})
