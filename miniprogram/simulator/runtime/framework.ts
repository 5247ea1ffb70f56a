/** WeChat's component framework, set up with the pages' templates and the built-in elements. */
import * as adapter from 'glass-easel-miniprogram-adapter'
import { registerBuiltins } from './builtins/elements.ts'
import { builtinNames } from './builtins/names.ts'
import { assertJsonSafe } from './json-safe.ts'
import { program } from './program.ts'

const { glassEasel } = adapter

/** Ids reach the document, for people who look into it and for tests. */
glassEasel.globalOptions.writeIdToDOM = true

const environment = new adapter.MiniProgramEnv()

export const codeSpace = environment.createCodeSpace('', true)

const context = createContext()

export const backend = environment.associateBackend(context)

/** All sheets are in one file; the framework is only told the scopes. */
export function registerComponents(): void {
  registerBuiltins(codeSpace.getComponentSpace())
  codeSpace.setOverallBehavior(checkedData())
  registerScope('app', undefined)
  for (const { path, manifest, prefix } of program.components) {
    codeSpace.addComponentStaticConfig(path, manifest as adapter.types.ComponentStaticConfig)
    codeSpace.addCompiledTemplate(path, {
      groupList: program.templates,
      content: program.templates[path],
    } as Parameters<typeof codeSpace.addCompiledTemplate>[1])
    registerScope(path, prefix)
  }
}

interface DataOwner {
  readonly is: string
  setData(data: object, done?: () => void): void
}

/** The app's own components and pages check what they give to `setData`, from their first moment on. */
function checkedData(): adapter.glassEasel.GeneralBehavior {
  const behavior = codeSpace.getComponentSpace().defineBehavior({
    lifetimes: {
      created(this: unknown) {
        const owner = this as DataOwner
        if (owner.is.startsWith('miniprogram_npm/')) return
        const { setData } = owner
        owner.setData = (data, done) => {
          assertJsonSafe(data, 'data')
          setData.call(owner, data, done)
        }
      },
    },
  })
  return behavior.general()
}

function registerScope(path: string, prefix: string | undefined): void {
  codeSpace.addStyleSheet(path, path, prefix)
  backend.registerStyleSheetContent(path, '')
}

function createContext(): adapter.glassEasel.CurrentWindowBackendContext {
  const made = new glassEasel.CurrentWindowBackendContext()
  const names: ReadonlySet<string> = new Set(builtinNames)
  made.document = {
    createElement: (tag: string) => createElement(names.has(tag) ? `wx-${tag}` : tag),
    createTextNode: (text: string) => document.createTextNode(text),
    createDocumentFragment: () => document.createDocumentFragment(),
  } as unknown as typeof made.document
  made.onEvent((target, type, detail, options) => glassEasel.triggerEvent(target, type, detail, options))
  return made
}

/** The page's policy forbids style attributes, not styles that a script sets. */
function createElement(tag: string): HTMLElement {
  const element = document.createElement(tag)
  element.setAttribute = (name: string, value: string) => {
    if (name === 'style')
      element.style.cssText = value.replace(/(-?\d*\.?\d+)rpx\b/g, 'calc($1 * var(--rpx))')
    else Element.prototype.setAttribute.call(element, name, value)
  }
  return element
}
