/** The built mini program, as `app.js` leaves it for the host. */
import type * as adapter from 'glass-easel-miniprogram-adapter'

type ComponentEnv = adapter.ComponentEnv

/** What a module is run with; the names that are hidden from it follow, and nothing is passed for them. */
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
  /** Each after those that it uses. */
  readonly components: readonly ProgramComponent[]
  /** Images of the package, as URLs that need no network. */
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

/** What the browser loads for an image that the app names. */
export function imageUrl(source: string): string {
  return program.images[source.replace(/^\//, '')] ?? source
}

export function findComponent(path: string): ProgramComponent | undefined {
  return program.components.find((component) => component.path === path)
}
