/** Every code block of every document has a check, and every link has a target. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readConfig } from '../../../service/config/config.ts'
import { checkHttp, checkJson } from './block-checks.ts'
import { claims } from './claims.ts'
import type { Block } from './documents.ts'
import { anchorOf, documentPaths, parseDocument, readDocument, root } from './documents.ts'
import { findFault } from './known-commands.ts'
import { parseShell } from './shell.ts'
import { placeOf } from './snippets.ts'

const documents = documentPaths().map(readDocument)
const blocks = documents.flatMap((document) => document.blocks)
const at = ({ document, line }: Block): string => `${document}:${line}`

/** Also blocks without a language that begin with one of our commands. */
function isShell({ language, text }: Block): boolean {
  return language === 'sh' || (language === '' && /^(npx miniseal|npm|curl) /.test(text))
}

/** The blocks that need a claim, by place and in order. */
const claimed = new Map<string, Block[]>()
for (const block of blocks) {
  if (isShell(block) || block.language === 'json' || block.language === 'http') continue
  claimed.set(placeOf(block), [...(claimed.get(placeOf(block)) ?? []), block])
}

describe('every block', () => {
  it('every block is shell, JSON or HTTP or has a claim, and every claim has a block', () => {
    const counts = (all: Iterable<readonly [string, readonly unknown[]]>): object => {
      return Object.fromEntries([...all].map(([place, list]) => [place, list.length]))
    }
    expect(counts(Object.entries(claims))).toEqual(counts(claimed))
  })

  it.each(Object.entries(claims))('the blocks of %s pass their claimed checks', async (place, list) => {
    for (const [nth, claim] of list.entries()) {
      const block = claimed.get(place)?.[nth]
      if (block === undefined) throw new Error(`${place} has no block ${nth}`)
      if ('check' in claim) await claim.check(block.text)
      else if ('test' in claim) expect(existsSync(join(root, claim.test)), claim.test).toBe(true)
      else expect(block.text).toMatch(/[─▶│]|inner message/)
    }
  })
})

describe('shell', () => {
  /** The files that a page tells its reader to save. */
  const savedBy = (document: string): readonly string[] => {
    const text = readFileSync(join(root, document), 'utf8')
    return [...text.matchAll(/Save this as `([^`]+)`/g)].map(([, name]) => name ?? '')
  }

  it.each(blocks.filter(isShell).map((block) => [at(block), block] as const))(
    'the shell block %s uses existing commands, options, files and variables',
    (_at, block) => {
      const commands = parseShell(block.text)
      expect(commands.length).toBeGreaterThan(0)
      const faults = commands.map((command) => findFault(command, savedBy(block.document)))
      expect(faults.filter(Boolean)).toEqual([])
      for (const { variables, words } of commands) {
        const settings = variables.filter(([name]) => name.startsWith('MINISEAL_'))
        // Settings without a command must be a valid configuration.
        if (words.length > 0 || settings.some(([, value]) => /…|PLACEHOLDER/.test(value))) continue
        expect(() => readConfig(Object.fromEntries(settings))).not.toThrow()
      }
    },
  )

  it.each([
    ['npx miniseal kyes list', 'there is no command kyes list'],
    ['npx miniseal keys list --jsn', 'keys list has no option --jsn'],
    ['npx miniseal audit verifi', 'there is no command audit verifi'],
    ['npx miniseal auditor add wei --role reader --dys 90', 'auditor add has no option --dys'],
    ['npm run biuld', 'there is no npm script biuld'],
    ['npm run build:app -- --orgin x', 'npm run build:app has no option --orgin'],
    ['MINISEAL_UPSTREAM=/a=http://b', 'there is no variable MINISEAL_UPSTREAM'],
    [
      'docker compose exec minisael node service/bin/miniseal.js keys export',
      'compose.yaml has no service minisael',
    ],
    [
      'docker compose exec miniseal node service/bin/miniseal.js keys exprot --jsno',
      'there is no command keys exprot',
    ],
    [
      'python3 test/conformance/independent/vector.py',
      'there is no file test/conformance/independent/vector.py',
    ],
    ['wget x', 'the program wget is not known here'],
  ])('the check detects the fault in %s', (text, fault) => {
    expect(parseShell(text).map((command) => findFault(command, []))).toEqual([fault])
  })
})

const jsonBlocks = blocks.filter(({ language }) => language === 'json')
const httpBlocks = blocks.filter(({ language }) => language === 'http')

it.each(jsonBlocks.map((block) => [at(block), block.text]))('the JSON block %s is valid', (_at, text) => {
  checkJson(text)
})

it.each(httpBlocks.map((block) => [at(block), block.text]))(
  'the HTTP block %s is a valid message',
  (_at, text) => {
    checkHttp(text)
  },
)

describe('links', () => {
  const headingsOf = (path: string): ReadonlySet<string> => {
    const seen = new Map<string, number>()
    return new Set(
      parseDocument(path, readFileSync(join(root, path), 'utf8')).headings.map(({ text }) => {
        const anchor = anchorOf(text)
        const before = seen.get(anchor) ?? 0
        seen.set(anchor, before + 1)
        return before === 0 ? anchor : `${anchor}-${before}`
      }),
    )
  }

  it.each(documents.map((document) => [document.path, document] as const))(
    'links of %s have a file and a heading',
    (_path, document) => {
      for (const { line, target } of document.links) {
        if (/^[a-z]+:/.test(target)) continue
        const [file = '', anchor] = target.split('#')
        const path = file === '' ? document.path : normalize(join(dirname(document.path), file))
        expect(path.startsWith('..'), `${document.path}:${line} is outside the project`).toBe(false)
        expect(existsSync(join(root, path)), `${document.path}:${line}: ${target}`).toBe(true)
        if (anchor === undefined) continue
        expect(statSync(join(root, path)).isFile()).toBe(true)
        expect(headingsOf(path), `${document.path}:${line}: ${target}`).toContain(decodeURIComponent(anchor))
      }
    },
  )

  it('the index or the README links to every document', () => {
    const from = ['README.md', 'docs/README.md'].flatMap((path) => {
      return readDocument(path).links.map(({ target }) =>
        normalize(join(dirname(path), target.split('#')[0] ?? '')),
      )
    })
    const inner = ['README.md', 'docs/README.md', 'test/conformance/vectors/README.md']
    for (const { path } of documents) {
      if (!inner.includes(path)) expect(from, `nothing links to ${path}`).toContain(path)
    }
  })
})

describe('the README in Chinese', () => {
  const [english, chinese] = [readDocument('README.md'), readDocument('README.zh-CN.md')]

  it('the Chinese README has the heading levels of the English one', () => {
    expect(chinese.headings.map(({ level }) => level)).toEqual(english.headings.map(({ level }) => level))
  })

  it('the Chinese README has the code blocks of the English one', () => {
    const code = ({ blocks: all }: typeof english): readonly string[] => {
      return all.map(({ language, text }) => `${language}\n${text}`)
    }
    expect(code(chinese)).toEqual(code(english))
  })

  it('the Chinese README has the tables, scripts, folders and documents of the English one', () => {
    const rows = (path: string): readonly string[] => {
      const lines = readFileSync(join(root, path), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('| '))
      return lines.map((line) =>
        [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`|\(([^)]+)\)/g)].map(([all]) => all).join(' '),
      )
    }
    expect(rows('README.zh-CN.md')).toEqual(rows('README.md'))
  })
})
