/** All WXML of the mini program as JavaScript, by WeChat's own compiler. */
import type { AppFiles } from '../build/app-files.ts'
import { templateReferences, wxsReferences } from '../build/references.ts'
import type { HostedComponent } from './components.ts'

/** The members of the compiler's `TmplGroup` that are used here. */
export interface TemplateGroup {
  addTmpl(path: string, text: string): unknown
  addScript(path: string, text: string): void
  getInlineScriptModuleNames(path: string): unknown[]
  getInlineScript(path: string, name: string): string
  setInlineScript(path: string, name: string, text: string): void
  getTmplGenObjectGroups(): string
}

interface Problem {
  readonly path: string
  readonly message: string
  readonly startLine: number
  readonly isError: boolean
}

/** @returns an expression: an object from path to template. @throws Error for WXML with an error in it. */
export function compileTemplates(
  group: TemplateGroup,
  files: AppFiles,
  components: readonly HostedComponent[],
): string {
  const done = new Set<string>()
  const add = (path: string): void => {
    if (done.has(path)) return
    done.add(path)
    const text = String(files.get(path))
    const name = path.replace(/\.(wxml|wxs)$/, '')
    if (path.endsWith('.wxs')) {
      group.addScript(name, hostedScript(text))
      for (const reference of wxsReferences(path, text)) add(reference)
      return
    }
    assertCompiled(group.addTmpl(name, text))
    for (const inline of group.getInlineScriptModuleNames(name).map(String)) {
      group.setInlineScript(name, inline, hostedScript(group.getInlineScript(name, inline)))
    }
    for (const reference of templateReferences(path, text)) add(reference)
  }
  for (const { path } of components) add(`${path}.wxml`)
  return group.getTmplGenObjectGroups()
}

function assertCompiled(result: unknown): void {
  const problems = (Array.isArray(result) ? result : []) as readonly Problem[]
  const error = problems.find(({ isError }) => isError)
  if (error === undefined) return
  throw new Error(`${error.path}.wxml:${error.startLine + 1}: ${error.message}`)
}

/** WXS is not JavaScript: it makes dates and expressions by function, and its `constructor` is a name. */
function hostedScript(text: string): string {
  const prelude =
    'var getRegExp=function(p,f){return new RegExp(p,f)};' +
    'var getDate=function(a){return arguments.length===0?new Date():new Date(a)};'
  const adapted = text
    .replace(/\.constructor\b/g, '.constructor.name')
    // Strings of WXS keep their backslashes.
    .replace(/\bgetRegExp\(\s*(['"])((?:\\.|(?!\1).)*)\1/g, (_, __, body: string) => {
      return `getRegExp(${JSON.stringify(body)}`
    })
  return prelude + adapted
}
