/** The phone around the pages: status, navigation and tab bars, toasts, dialogs and the biometric prompt. */

import type { TabItem, WindowSettings } from './program.ts'
import { imageUrl, program } from './program.ts'

interface ShownPage {
  readonly path: string
  readonly title: string | undefined
}

/** The page stack, as the bars show it. */
interface PageStack {
  readonly current: ShownPage | undefined
  readonly depth: number
  windowSettings(): WindowSettings
  switchTab(url: string): void
}

/** @throws Error when phone.html has no such element */
export function element(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`phone.html has no #${id}`)
  return found
}

const tabs: TabItem[] = (program.manifest.tabBar?.list ?? []).map((item) => ({ ...item }))
const badges = new Map<number, string>()

export function setTab(index: number, text: string): void {
  const tab = tabs[index]
  if (tab === undefined) throw new Error('tabbar item not found')
  tab.text = text
}

/** @param text `undefined` removes the badge */
export function setBadge(index: number, text: string | undefined): void {
  if (text === undefined) badges.delete(index)
  else badges.set(index, text)
}

/** Draws the navigation and tab bars. */
export function drawBars(pages: PageStack): void {
  const { current } = pages
  if (current === undefined) return
  drawNavigation(pages, current)
  drawTabs(pages, current)
}

function drawNavigation(pages: PageStack, page: ShownPage): void {
  const settings = pages.windowSettings()
  const title = page.title ?? settings.navigationBarTitleText ?? ''
  document.title = title
  element('title').textContent = title
  element('back').hidden = pages.depth < 2
  const top = element('top')
  top.classList.toggle('light', settings.navigationBarTextStyle === 'white')
  top.style.background = settings.navigationBarBackgroundColor ?? '#000'
}

function drawTabs(pages: PageStack, page: ShownPage): void {
  const bar = element('tabs')
  bar.hidden = !tabs.some(({ pagePath }) => pagePath === page.path)
  const { color = '', selectedColor = '' } = program.manifest.tabBar ?? {}
  bar.replaceChildren(
    ...tabs.map((tab, index) => {
      const isCurrent = tab.pagePath === page.path
      const item = document.createElement('button')
      item.type = 'button'
      item.style.color = isCurrent ? selectedColor : color
      if (isCurrent) item.setAttribute('aria-current', 'page')
      item.onclick = () => pages.switchTab(tab.pagePath)
      const icon = document.createElement('img')
      icon.alt = ''
      icon.src = imageUrl(isCurrent ? tab.selectedIconPath : tab.iconPath)
      item.append(icon, text('span', tab.text))
      const badge = badges.get(index)
      if (badge !== undefined) item.append(text('b', badge))
      return item
    }),
  )
}

/** A new element with text content. */
function text(tag: 'span' | 'b' | 'h2' | 'p', content: string): HTMLElement {
  const node = document.createElement(tag)
  node.textContent = content
  return node
}

/** Updates the time in the status bar. */
export function startClock(): void {
  const show = (): void => {
    const now = new Date()
    element('clock').textContent = `${now.getHours()}:${String(now.getMinutes()).padStart(2, '0')}`
  }
  show()
  setInterval(show, 5_000)
}

let toastTimer: ReturnType<typeof setTimeout> | undefined

/** @param durationMs `undefined`: until `hideToast` */
export function showToast(title: string, durationMs: number | undefined, isLoading: boolean): void {
  hideToast()
  const toast = document.createElement('div')
  toast.className = isLoading ? 'toast loading' : 'toast'
  toast.setAttribute('role', 'status')
  toast.textContent = title
  element('overlays').append(toast)
  if (durationMs !== undefined) toastTimer = setTimeout(hideToast, durationMs)
}

export function hideToast(): void {
  clearTimeout(toastTimer)
  element('overlays').querySelector('.toast')?.remove()
}

export interface DialogOptions {
  readonly title: string
  readonly content: string
  /** `undefined`: no cancel button. */
  readonly cancelText: string | undefined
  readonly confirmText: string
}

/** @returns whether the user confirmed */
export function showDialog({ title, content, cancelText, confirmText }: DialogOptions): Promise<boolean> {
  return openDialog('dialog', (box, answer) => {
    const buttons = document.createElement('div')
    buttons.className = 'buttons'
    if (cancelText !== undefined) buttons.append(button(cancelText, 'cancel', () => answer(false)))
    buttons.append(button(confirmText, 'confirm', () => answer(true)))
    box.append(text('h2', title), text('p', content), buttons)
  })
}

/**
 * The system's biometric prompt. A tap on the fingerprint icon replaces the finger.
 * @returns whether the user confirmed
 */
export function showBiometricPrompt(content: string, isChinese: boolean): Promise<boolean> {
  return openDialog('dialog biometric', (box, answer) => {
    const print = button('', 'print', () => answer(true))
    print.setAttribute('aria-label', isChinese ? '指纹' : 'Fingerprint')
    box.append(
      text('h2', isChinese ? '验证指纹' : 'Confirm with fingerprint'),
      text('p', content),
      print,
      text('p', isChinese ? '点击指纹图标进行模拟验证' : 'Tap the icon to simulate your fingerprint'),
      button(isChinese ? '取消' : 'Cancel', 'cancel', () => answer(false)),
    )
  })
}

/** A suggestion above the keyboard while `field` is focused. */
export function showSuggestion(label: string, field: HTMLElement, onTap: () => void): void {
  const line = button(label, 'offer', () => {})
  // Before the field loses focus.
  line.onpointerdown = (event) => {
    event.preventDefault()
    line.remove()
    onTap()
  }
  field.addEventListener('blur', () => line.remove(), { once: true })
  element('overlays').append(line)
}

/** Opens a dialog until `answer` is called. @param fill adds the content */
function openDialog(
  className: string,
  fill: (box: HTMLElement, answer: (isConfirmed: boolean) => void) => void,
): Promise<boolean> {
  const cover = document.createElement('div')
  cover.className = `cover ${className}`
  const box = document.createElement('div')
  box.className = 'box'
  box.setAttribute('role', 'dialog')
  cover.append(box)
  return new Promise((resolve) => {
    fill(box, (isConfirmed) => {
      cover.remove()
      resolve(isConfirmed)
    })
    element('overlays').append(cover)
  })
}

function button(label: string, className: string, onTap: () => void): HTMLButtonElement {
  const node = document.createElement('button')
  node.type = 'button'
  node.className = className
  node.textContent = label
  node.onclick = onTap
  return node
}
