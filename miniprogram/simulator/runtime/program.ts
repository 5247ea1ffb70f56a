/** The compiled mini program, which `app.js` defines. */
import type * as adapter from 'glass-easel-miniprogram-adapter'

type ComponentEnv = adapter.ComponentEnv

/** A module. Its further parameters hide browser globals and are never passed. */
export type ModuleFunction = (
  require: (request: string) => unknown,
  module: { exports: unknown },
  exports: unknown,
  wx: object,
  App: (definition: AppDefinition) => void,
  Page: ComponentEnv['Page'],
  Component: ComponentEnv['Component'],
  Behavior: ComponentEnv['Behavior'],
  getApp: () => AppDefinition,
  getCurrentPages: () => readonly unknown[],
) => void

export interface AppDefinition {
  readonly onLaunch?: (options: object) => void
  readonly onShow?: (options: object) => void
  readonly onHide?: () => void
}

export interface TabItem {
  readonly pagePath: string
  text: string
  readonly iconPath: string
  readonly selectedIconPath: string
}

export interface WindowSettings {
  readonly navigationBarTitleText?: string
  readonly navigationBarBackgroundColor?: string
  readonly navigationBarTextStyle?: 'black' | 'white'
  readonly enablePullDownRefresh?: boolean
}

export interface ProgramComponent {
  readonly path: string
  readonly isPage: boolean
  readonly manifest: WindowSettings & Readonly<Record<string, unknown>>
  readonly prefix?: string
}

export interface Program {
  readonly manifest: {
    readonly pages: readonly [string, ...string[]]
    readonly window?: WindowSettings
    readonly tabBar?: {
      readonly color: string
      readonly selectedColor: string
      readonly list: readonly TabItem[]
    }
  }
  /** Each after its dependencies. */
  readonly components: readonly ProgramComponent[]
  /** Images of the package as data URLs. */
  readonly images: Readonly<Record<string, string>>
  readonly templates: Readonly<Record<string, unknown>>
  readonly modules: Readonly<
    Record<string, { readonly references: Readonly<Record<string, string>>; readonly run: ModuleFunction }>
  >
}

declare global {
  interface Window {
    readonly miniProgram: Program
  }
}

export const program = window.miniProgram

/** The URL of an image of the app. */
export function imageUrl(source: string): string {
  return program.images[source.replace(/^\//, '')] ?? source
}

export function findComponent(path: string): ProgramComponent | undefined {
  return program.components.find((component) => component.path === path)
}
