/** One TypeScript or JavaScript file as phones load it: CommonJS in ES2018, nothing bundled. */
import { transformSync } from 'esbuild'

/** The built client is CommonJS already, and its text is what was checked. */
const untouched = 'miniprogram_npm/miniseal-client/'

/** @throws Error when it does not compile. */
export function compileModule(path: string, source: string): string {
  if (path.startsWith(untouched)) return source
  const { code } = transformSync(source, {
    loader: path.endsWith('.ts') ? 'ts' : 'js',
    format: 'cjs',
    target: 'es2018',
    charset: 'utf8',
    sourcefile: path,
    logLevel: 'silent',
  })
  return code
}
