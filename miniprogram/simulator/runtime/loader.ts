/** Loads the mini program's modules, with WeChat's module variables and without browser globals. */
import type { ComponentEnv } from 'glass-easel-miniprogram-adapter'
import { codeSpace } from './framework.ts'
import type { AppDefinition } from './program.ts'
import { program } from './program.ts'

export interface Loaded {
  readonly app: AppDefinition
}

/** WeChat's built-in behaviors, which are empty here. */
const builtinBehavior = /^wx:\/\//

type AnyDefinition = Readonly<Record<string, unknown>>
type AnyConstructor = (definition: AnyDefinition) => unknown

/**
 * Runs app.js and the script of every component.
 *
 * @throws Error for a missing module, and errors of the app
 */
export function loadProgram(wx: object, currentPages: () => readonly unknown[]): Loaded {
  const cache = new Map<string, { exports: unknown }>()
  let app: AppDefinition = {}
  let environment: ComponentEnv | undefined

  const current = (): ComponentEnv => {
    if (environment === undefined) throw new Error('component registered outside of its script')
    return environment
  }
  const { Page, Component, Behavior } = constructors(current)
  const load = (path: string): unknown => {
    const cached = cache.get(path)
    if (cached !== undefined) return cached.exports
    const definition = program.modules[path]
    if (definition === undefined) throw new Error(`module '${path}' is not defined`)
    const module = { exports: {} as unknown }
    cache.set(path, module)
    const require = (request: string): unknown => {
      const target = definition.references[request]
      if (target === undefined)
        throw new Error(`module '${request}.js' is not defined, required in '${path}'`)
      return load(target)
    }
    const define = (given: AppDefinition): void => {
      app = given
    }
    definition.run(
      ...([require, module, module.exports, wx, define, Page, Component, Behavior] as const),
      () => app,
      currentPages,
    )
    return module.exports
  }

  codeSpace.componentEnv('app', (env) => {
    environment = env
    load('app.js')
  })
  for (const { path } of program.components) {
    codeSpace.componentEnv(path, (env) => {
      environment = env
      load(`${path}.js`)
    })
  }
  return { app }
}

/**
 * The framework's constructors for modules. They use the environment of the component that is being loaded, because a
 * shared module of a component library may register several components.
 */
function constructors(current: () => ComponentEnv): Pick<ComponentEnv, 'Page' | 'Component' | 'Behavior'> {
  const wrap = (name: 'Page' | 'Component' | 'Behavior'): AnyConstructor => {
    return (definition) => {
      const environment = current()
      return (environment[name] as AnyConstructor)(withBehaviors(definition, environment))
    }
  }
  return {
    Page: wrap('Page') as ComponentEnv['Page'],
    Component: wrap('Component') as ComponentEnv['Component'],
    Behavior: wrap('Behavior') as unknown as ComponentEnv['Behavior'],
  }
}

function withBehaviors(definition: AnyDefinition, environment: ComponentEnv): AnyDefinition {
  const { behaviors } = definition
  if (!Array.isArray(behaviors)) return definition
  const named = behaviors.map((behavior: unknown) => {
    return typeof behavior === 'string' && builtinBehavior.test(behavior)
      ? environment.Behavior({})
      : behavior
  })
  return { ...definition, behaviors: named }
}
