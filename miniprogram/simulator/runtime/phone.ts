/** What a phone draws around a page: status bar, navigation bar and tab bar. */
import type { OpenPage, Pages } from './pages.ts'
import type { TabItem } from './program.ts'
import { imageUrl, program } from './program.ts'

/** @throws Error when phone.html lacks it. */
export function part(id: string): HTMLElement {
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

/** @param text `undefined` removes it */
export function setBadge(index: number, text: string | undefined): void {
  if (text === undefined) badges.delete(index)
  else badges.set(index, text)
}

/** Draws both bars for the page that is shown. */
export function drawBars(pages: Pages): void {
  const { current } = pages
  if (current === undefined) return
  drawNavigation(pages, current)
  drawTabs(pages, current)
}

function drawNavigation(pages: Pages, page: OpenPage): void {
  const settings = pages.windowSettings()
  const title = page.title ?? settings.navigationBarTitleText ?? ''
  document.title = title
  part('title').textContent = title
  part('back').hidden = pages.depth < 2
  const top = part('top')
  top.classList.toggle('light', settings.navigationBarTextStyle === 'white')
  top.style.background = settings.navigationBarBackgroundColor ?? '#000'
}

function drawTabs(pages: Pages, page: OpenPage): void {
  const bar = part('tabs')
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

/** An element with nothing but text in it. */
export function text(tag: 'span' | 'b' | 'h2' | 'p', content: string): HTMLElement {
  const element = document.createElement(tag)
  element.textContent = content
  return element
}

/** Keeps the time in the status bar. */
export function startClock(): void {
  const show = (): void => {
    const now = new Date()
    part('clock').textContent = `${now.getHours()}:${String(now.getMinutes()).padStart(2, '0')}`
  }
  show()
  setInterval(show, 5_000)
}
