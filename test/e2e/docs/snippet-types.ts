/** Type-checks the snippets of the documents against the declarations of the built packages. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Block } from './documents.ts'
import { root } from './documents.ts'
import type { Snippet } from './snippets.ts'

export interface PlacedSnippet {
  readonly block: Block
  readonly snippet: Snippet
}

const paths = {
  miniseal: [join(root, 'service/dist/index.d.ts')],
  'miniseal-verify': [join(root, 'packages/verify/dist/index.d.ts')],
  'miniseal-verify/*': [join(root, 'packages/verify/dist/adapters/*.d.ts')],
  'miniseal-client': [join(root, 'miniprogram/client/types/client/index.d.ts')],
  'miniseal-client/gzip': [join(root, 'miniprogram/client/types/client/gzip.d.ts')],
}

const realms = {
  phone: { target: 'ES2018', lib: ['ES2018'], types: ['miniprogram-api-typings'] },
  node: { target: 'ES2022', lib: ['ES2023'], types: ['node'] },
}

/** The output of the compiler for snippets of one realm; empty without errors. */
export function compile(realm: Snippet['realm'], placed: readonly PlacedSnippet[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-snippets-'))
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    mkdirSync(join(folder, 'docs'))
    for (const { block, snippet } of placed)
      writeFileSync(join(folder, 'docs', nameOf(block)), sourceOf(block, snippet))
    const compilerOptions = {
      ...realms[realm],
      module: 'ESNext',
      moduleResolution: 'Bundler',
      moduleDetection: 'force',
      strict: true,
      // JavaScript: untyped parameters, and members of caught errors.
      noImplicitAny: false,
      useUnknownInCatchVariables: false,
      allowJs: true,
      checkJs: true,
      allowImportingTsExtensions: true,
      noEmit: true,
      skipLibCheck: true,
      paths: { ...paths, './index.ts': [join(root, 'crypto/index.ts')] },
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['docs/*'] }))
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    return spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' }).stdout
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function nameOf({ document, line, language }: Block): string {
  return `${document.replaceAll('/', '_')}-${line}.${language}`
}

/** Each block as a module; `require` becomes an import, which has types. */
function sourceOf(block: Block, { given = '' }: Snippet): string {
  const text = block.text.replace(/const (\{[^}]*\}) = require\(('[^']+')\)/g, 'import $1 from $2')
  return `${given}${text}\nexport {}\n`.replaceAll("'./index.ts'", `'${join(root, 'crypto/index.ts')}'`)
}
