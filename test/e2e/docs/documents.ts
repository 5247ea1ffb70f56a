/** Code blocks, headings and links of the documents. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = new URL('../../../', import.meta.url).pathname

/** One fenced block. */
export interface Block {
  /** Path of the document from the root of the project. */
  readonly document: string
  /** The line of the opening fence, from 1. */
  readonly line: number
  /** The language after the opening fence, or ''. */
  readonly language: string
  /** Without the indentation of the fence; ends with a line feed. */
  readonly text: string
  /** The nearest heading above it. */
  readonly heading: string
}

export interface Link {
  readonly document: string
  readonly line: number
  readonly target: string
}

export interface Heading {
  readonly level: number
  readonly text: string
}

export interface Document {
  readonly path: string
  readonly blocks: readonly Block[]
  readonly headings: readonly Heading[]
  readonly links: readonly Link[]
}

/** All tested documents. */
export function documentPaths(): readonly string[] {
  const named = [
    'README.md',
    'README.zh-CN.md',
    'SECURITY.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'crypto/README.md',
    'packages/verify/README.md',
    'test/conformance/vectors/README.md',
  ]
  return [...named, ...below('docs'), ...below('miniprogram')].sort()
}

function below(folder: string): readonly string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith('.md')).map((file) => `${folder}/${file}`)
}

export function readDocument(path: string): Document {
  return parseDocument(path, readFileSync(join(root, path), 'utf8'))
}

/** @throws Error for a fence that is not closed */
export function parseDocument(path: string, text: string): Document {
  const blocks: Block[] = []
  const headings: Heading[] = []
  const links: Link[] = []
  let open: { readonly line: number; readonly indent: number; readonly language: string } | undefined
  let inside: string[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^( *)```(.*)$/.exec(line)
    if (fence !== null && open === undefined) {
      open = { line: index + 1, indent: fence[1]?.length ?? 0, language: (fence[2] ?? '').trim() }
      inside = []
    } else if (fence !== null && open !== undefined) {
      const heading = headings.at(-1)?.text ?? ''
      const text = inside.map((each) => `${each}\n`).join('')
      blocks.push({ document: path, line: open.line, language: open.language, text, heading })
      open = undefined
    } else if (open !== undefined) {
      inside.push(line.slice(Math.min(open.indent, line.length - line.trimStart().length)))
    } else {
      readLine(path, index + 1, line, headings, links)
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line}: the block is not closed`)
  return { path, blocks, headings, links }
}

function readLine(document: string, line: number, text: string, headings: Heading[], links: Link[]): void {
  const heading = /^(#{1,6}) (.*)$/.exec(text)
  if (heading !== null) headings.push({ level: heading[1]?.length ?? 0, text: heading[2] ?? '' })
  const prose = text.replace(/`[^`]*`/g, (code) => (/\]\(/.test(code) ? '' : code))
  for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) links.push({ document, line, target })
}

/** The GitHub anchor of a heading. */
export function anchorOf(heading: string): string {
  const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
  return words.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-')
}

/** The only block of a language in a document, or the `n`th of several under a heading. */
export function blockOf(path: string, language: string, heading?: string): Block {
  const found = readDocument(path).blocks.filter((block) => {
    return block.language === language && (heading === undefined || block.heading === heading)
  })
  const [block, another] = found
  if (block === undefined || another !== undefined) {
    throw new Error(`${path} has ${found.length} blocks of ${language} under ${heading ?? 'all headings'}`)
  }
  return block
}
