/** Set-up of glass-easel, WeChat's component framework. */
import * as adapter from 'glass-easel-miniprogram-adapter'
import { builtinNames } from './builtin-names.ts'
import { registerBuiltins } from './builtins.ts'
import { assertJsonSafe } from './json-safe.ts'
import { program } from './program.ts'

const { glassEasel } = adapter

/** Writes ids to the DOM, for tests. */
glassEasel.globalOptions.writeIdToDOM = true

const environment = new adapter.MiniProgramEnv()

export const codeSpace = environment.createCodeSpace('', true)

const context = createContext()

export const backend = environment.associateBackend(context)

/** Registers components and style scopes; the styles are in one separate file. */
export function registerComponents(): void {
  registerBuiltins(codeSpace.getComponentSpace())
  codeSpace.setOverallBehavior(dataCheck())
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

/** A behavior that checks the data of each `setData` in the app's own components. */
function dataCheck(): adapter.glassEasel.GeneralBehavior {
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
  const context = new glassEasel.CurrentWindowBackendContext()
  const names: ReadonlySet<string> = new Set(builtinNames)
  context.document = {
    createElement: (tag: string) => createElement(names.has(tag) ? `wx-${tag}` : tag),
    createTextNode: (text: string) => document.createTextNode(text),
    createDocumentFragment: () => document.createDocumentFragment(),
  } as unknown as typeof context.document
  context.onEvent((target, type, detail, options) => glassEasel.triggerEvent(target, type, detail, options))
  return context
}

/** Sets styles through the CSSOM, because the CSP forbids style attributes. */
function createElement(tag: string): HTMLElement {
  const element = document.createElement(tag)
  element.setAttribute = (name: string, value: string) => {
    if (name === 'style')
      element.style.cssText = value.replace(/(-?\d*\.?\d+)rpx\b/g, 'calc($1 * var(--rpx))')
    else Element.prototype.setAttribute.call(element, name, value)
  }
  return element
}
