/** The tests that `SECURITY.md` and its translation name exist, and each claim names one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { loadCommand } from '../../../service/cli/dispatch.ts'

const root = new URL('../../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

const page = read('SECURITY.md')
const translation = read('docs/security.zh-CN.md')
const documents = [
  'SECURITY.md',
  ...readdirSync(new URL('docs', root), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

interface Row {
  readonly line: string
  readonly shown: string
}

/** The rows of every table whose last column is headed "shown by". */
function rowsOf(text: string): readonly Row[] {
  const rows: Row[] = []
  let isOpen = false
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) isOpen = false
    else if (/\| shown by +\|$/.test(line)) isOpen = true
    else if (isOpen && !/^[| -]+$/.test(line)) rows.push({ line, shown: line.split('|').at(-2) ?? '' })
  }
  return rows
}

interface Named {
  readonly file: string
  readonly titles: readonly string[]
}

/** `file` "title", "title…"; `file` "title". @throws Error for what is written otherwise */
function namedIn({ line, shown }: Row): readonly Named[] {
  return shown
    .trim()
    .split(/; (?=`)/)
    .map((part) => {
      const [, file = '', list = ''] = /^`((?:[a-z0-9-]+\/)+[a-z-]+\.test\.ts)` (".*")$/.exec(part) ?? []
      if (file === '') throw new Error(`not a test and its names: ${part} in ${line}`)
      return { file, titles: list.slice(1, -1).split('", "') }
    })
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Whether a test in the file has this title; a title that ends with … is a prefix. */
function hasTest(source: string, title: string): boolean {
  const start = escaped(title.replace(/…$/, ''))
  const end = title.endsWith('…') ? '' : '\\1'
  return new RegExp(`\\(\\s*(['"\`])${start}${end}`).test(source)
}

const rows = rowsOf(page)

it('the check finds the tables of claims and detects missing titles', () => {
  expect(rows.length).toBeGreaterThan(90)
  expect(hasTest(`it('does this, and that', async`, 'does this…')).toBe(true)
  expect(hasTest(`it('does this, and that', async`, 'does this')).toBe(false)
  expect(hasTest(`// does this, and that`, 'does this…')).toBe(false)
})

it('each claim in SECURITY.md names at least one existing test', () => {
  const missing = rows.flatMap((row) =>
    namedIn(row).flatMap(({ file, titles }) => {
      const path = `test/${file}`
      if (!existsSync(new URL(path, root))) return [path]
      const source = read(path)
      return titles.filter((title) => !hasTest(source, title)).map((title) => `${path}: ${title}`)
    }),
  )
  expect(missing).toEqual([])
})

it('no document names a test file that does not exist', () => {
  const missing = documents.flatMap((document) =>
    [...read(document).matchAll(/`(?:test\/)?([a-z-]+\/[a-z-]+\.test\.ts)`/g)]
      .map(([, file = '']) => file)
      .filter((file) => !existsSync(new URL(`test/${file}`, root)))
      .map((file) => `${document}: ${file}`),
  )
  expect(missing).toEqual([])
})

it('each command in SECURITY.md exists with its action', async () => {
  const lines = [...`${page}\n${translation}`.matchAll(/npx miniseal ([a-z][^\n`]*)/g)].map(
    ([, words = '']) => words,
  )
  expect(lines.length).toBeGreaterThan(20)
  for (const line of lines) {
    const [name = '', action = '', kind = ''] = line.split(' ')
    const found = await loadCommand(name)
    if (!('commands' in found)) continue
    const command = found.commands[action]
    expect(command, line).toBeDefined()
    // KIND is a placeholder for every kind.
    if (name === 'keys' && kind !== '' && kind !== 'KIND' && !kind.startsWith('-')) {
      expect(command?.usage, line).toMatch(new RegExp(`\\b${kind}\\b`))
    }
  }
})
