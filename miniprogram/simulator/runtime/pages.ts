/** The page stack and page lifecycles. */
import type { Root } from 'glass-easel-miniprogram-adapter'
import { backend, codeSpace } from './framework.ts'
import type { WindowSettings } from './program.ts'
import { findComponent, program } from './program.ts'

/** WeChat's limit of open pages. */
const MAX_PAGES = 10

export interface OpenPage {
  readonly path: string
  readonly root: Root
  readonly instance: Record<string, unknown>
  readonly element: HTMLElement
  /** Set with `wx.setNavigationBarTitle`. */
  title: string | undefined
}

type Lifecycle = 'onLoad' | 'onShow' | 'onReady' | 'onHide' | 'onUnload'

/** The page stack. Tab pages stay loaded when another tab is shown. */
export class Pages {
  private readonly container: HTMLElement
  private readonly onChange: () => void
  private readonly tabs = new Map<string, OpenPage>()
  private stack: OpenPage[] = []

  /** @param onChange called when another page is shown */
  constructor(container: HTMLElement, onChange: () => void) {
    this.container = container
    this.onChange = onChange
  }

  get current(): OpenPage | undefined {
    return this.stack.at(-1)
  }

  get depth(): number {
    return this.stack.length
  }

  instances(): readonly unknown[] {
    return this.stack.map(({ instance }) => instance)
  }

  windowSettings(): WindowSettings {
    const manifest = findComponent(this.current?.path ?? '')?.manifest
    return { ...program.manifest.window, ...manifest }
  }

  navigateTo(url: string): void {
    assertPage(url)
    if (isTab(url)) throw new Error('can not navigateTo a tabbar page')
    if (this.depth >= MAX_PAGES) throw new Error('webview count limit exceed')
    this.hideCurrent()
    this.push(url)
  }

  redirectTo(url: string): void {
    assertPage(url)
    if (isTab(url)) throw new Error('can not redirectTo a tabbar page')
    this.unload(this.stack.pop())
    this.push(url)
  }

  navigateBack(delta: number): void {
    const steps = Math.min(delta, this.depth - 1)
    if (steps < 1) return
    for (let step = 0; step < steps; step += 1) this.unload(this.stack.pop())
    this.showCurrent()
  }

  switchTab(url: string): void {
    assertPage(url)
    if (!isTab(url)) throw new Error('can not switch to no-tabBar page')
    const { path } = parseUrl(url)
    if (this.current?.path === path) return
    while (this.depth > 1) this.unload(this.stack.pop())
    this.hideCurrent()
    const loaded = this.tabs.get(path)
    if (loaded === undefined) {
      this.stack = []
      this.push(url)
      return
    }
    this.stack = [loaded]
    this.showCurrent()
  }

  reLaunch(url: string): void {
    assertPage(url)
    const all = new Set([...this.stack, ...this.tabs.values()])
    this.tabs.clear()
    this.stack = []
    for (const page of all) this.unload(page)
    this.push(url)
  }

  /** Calls a lifecycle method of the current page when the app is shown or hidden. */
  emit(lifecycle: 'onShow' | 'onHide'): void {
    const { current } = this
    if (current !== undefined) call(current, lifecycle)
  }

  private push(url: string): void {
    const { path, query } = parseUrl(url)
    const element = document.createElement('div')
    element.setAttribute('mp-page', path)
    this.container.appendChild(element)
    const placeholder = document.createElement('span')
    element.appendChild(placeholder)
    const root = backend.createRoot('wx-page', codeSpace, `/${path}`)
    const instance = root.get() as unknown as Record<string, unknown>
    instance.route = path
    instance.options = query
    const page: OpenPage = { path, root, instance, element, title: undefined }
    this.stack.push(page)
    if (isTab(path)) this.tabs.set(path, page)
    root.attach(
      element as unknown as Parameters<Root['attach']>[0],
      placeholder as unknown as Parameters<Root['attach']>[1],
    )
    call(page, 'onLoad', query)
    this.showCurrent()
    call(page, 'onReady')
  }

  private showCurrent(): void {
    const { current } = this
    if (current === undefined) return
    current.element.hidden = false
    this.onChange()
    call(current, 'onShow')
    current.root.getComponent().triggerPageLifetime('show', [])
  }

  private hideCurrent(): void {
    const { current } = this
    if (current === undefined) return
    current.element.hidden = true
    call(current, 'onHide')
    current.root.getComponent().triggerPageLifetime('hide', [])
  }

  private unload(page: OpenPage | undefined): void {
    if (page === undefined) return
    call(page, 'onUnload')
    page.root.release()
    page.element.remove()
    if (this.tabs.get(page.path) === page) this.tabs.delete(page.path)
  }
}

/** Calls a lifecycle method and logs its errors. */
function call({ instance }: OpenPage, lifecycle: Lifecycle, ...values: readonly unknown[]): void {
  const method = instance[lifecycle]
  if (typeof method !== 'function') return
  try {
    const result: unknown = Reflect.apply(method, instance, values)
    if (result instanceof Promise) result.catch((error: unknown) => console.error(lifecycle, error))
  } catch (error) {
    console.error(lifecycle, error)
  }
}

function isTab(url: string): boolean {
  const { path } = parseUrl(url)
  return program.manifest.tabBar?.list.some(({ pagePath }) => pagePath === path) ?? false
}

function assertPage(url: string): void {
  const { path } = parseUrl(url)
  if (findComponent(path)?.isPage !== true) throw new Error(`page "${path}" is not found`)
}

function parseUrl(url: string): { readonly path: string; readonly query: Record<string, string> } {
  const [path = '', search = ''] = url.split('?')
  const query: Record<string, string> = {}
  for (const part of search.split('&')) {
    // WeChat does not decode query values.
    const [name = '', ...rest] = part.split('=')
    if (name !== '') query[name] = rest.join('=')
  }
  return { path: path.replace(/^\//, ''), query }
}
