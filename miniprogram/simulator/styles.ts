/** Compiles all WXSS into one style sheet, so that the page's CSP can forbid inline styles. */
import type { Root, Rule } from 'postcss'
import postcss from 'postcss'
import selectors from 'postcss-selector-parser'
import type { AppFiles } from '../build/app-files.ts'
import { resolveFrom } from '../build/sources.ts'
import type { AppComponent } from './compile.ts'

interface Scope {
  /** Class name prefix. */
  readonly prefix: string | undefined
  /** The page that the sheet applies to; `undefined` for all. */
  readonly page: string | undefined
}

/** @param builtins names of the built-in elements, which become `wx-<name>` */
export function compileStyles(
  files: AppFiles,
  components: readonly AppComponent[],
  builtins: ReadonlySet<string>,
): string {
  const sheets: string[] = []
  const add = (path: string, scope: Scope): void => {
    if (!files.has(path)) return
    const sheet = withImports(files, path, [])
    adapt(sheet, scope, builtins)
    sheets.push(sheet.toString())
  }
  // Order of precedence: components, app, pages.
  for (const { path, prefix } of components.filter(({ isPage }) => !isPage)) {
    add(`${path}.wxss`, { prefix, page: undefined })
  }
  add('app.wxss', { prefix: undefined, page: undefined })
  for (const { path } of components.filter(({ isPage }) => isPage)) {
    add(`${path}.wxss`, { prefix: undefined, page: path })
  }
  return sheets.join('\n')
}

function withImports(files: AppFiles, path: string, ancestors: readonly string[]): Root {
  const sheet = postcss.parse(String(files.get(path)), { from: path })
  sheet.walkAtRules('import', (rule) => {
    const request = /['"]?([^'");]+)/.exec(rule.params.replace(/^url\(/, ''))?.[1] ?? ''
    const target = resolveFrom(path, request, (candidate) => {
      return [candidate, `${candidate}.wxss`].find((name) => files.has(name))
    })
    if (target === undefined) throw new Error(`${path} imports ${request}, which does not exist`)
    if (ancestors.includes(target)) rule.remove()
    else rule.replaceWith(withImports(files, target, [...ancestors, path]).nodes)
  })
  return sheet
}

function adapt(sheet: Root, scope: Scope, builtins: ReadonlySet<string>): void {
  // Without `darkmode` in app.json, WeChat ignores the system's dark mode.
  sheet.walkAtRules('media', (rule) => {
    if (/prefers-color-scheme:\s*dark/.test(rule.params)) rule.remove()
    else if (/prefers-color-scheme:\s*light/.test(rule.params)) rule.replaceWith(rule.nodes ?? [])
  })
  sheet.walkDecls((declaration) => {
    declaration.value = declaration.value.replace(/(-?\d*\.?\d+)rpx\b/g, 'calc($1 * var(--rpx))')
  })
  sheet.walkRules((rule) => {
    if (!isKeyframe(rule)) rule.selector = adaptSelector(rule.selector, scope, builtins)
  })
}

function isKeyframe({ parent }: Rule): boolean {
  return parent?.type === 'atrule' && 'name' in parent && /keyframes$/.test(String(parent.name))
}

function adaptSelector(text: string, scope: Scope, builtins: ReadonlySet<string>): string {
  const transform = selectors((list) => {
    list.each((selector) => {
      let isRoot = false
      selector.walk((node) => {
        const root = rootAttribute(node, scope)
        if (root === undefined) rename(node, scope, builtins)
        else node.replaceWith(root)
        isRoot ||= root !== undefined
      })
      if (scope.page === undefined || isRoot) return
      selector.prepend(selectors.combinator({ value: ' ' }))
      selector.prepend(attribute('mp-page', scope.page))
    })
  })
  return transform.processSync(text)
}

/** The attribute selector for `page` and `:host`. */
function rootAttribute(node: selectors.Node, { prefix, page }: Scope): selectors.Attribute | undefined {
  if (node.type === 'tag' && node.value === 'page') return attribute('mp-page', page)
  return node.type === 'pseudo' && node.value === ':host' ? attribute('wx-host', prefix) : undefined
}

function rename(node: selectors.Node, { prefix }: Scope, builtins: ReadonlySet<string>): void {
  if (node.type === 'tag' && builtins.has(node.value)) node.value = `wx-${node.value}`
  if (node.type === 'class' && prefix !== undefined) node.value = `${prefix}--${node.value}`
}

function attribute(name: string, value: string | undefined): selectors.Attribute {
  const node = selectors.attribute({ attribute: name, value: undefined, raws: {} })
  if (value !== undefined) {
    node.operator = '='
    node.setValue(value, { quoteMark: '"' })
  }
  return node
}
