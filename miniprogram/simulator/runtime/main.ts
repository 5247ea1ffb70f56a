/** Starts the mini program in the page. */
import { registerComponents } from './framework.ts'
import { loadProgram } from './loader.ts'
import { Pages } from './pages.ts'
import { drawBars, element, startClock } from './phone.ts'
import { program } from './program.ts'
import { createWx, emitAppVisibility } from './wx/wx.ts'

async function start(): Promise<void> {
  // Replace the built-in settings by those of the service that serves this page.
  const settings: unknown = await (await fetch('settings', { cache: 'no-store' })).json()
  const module = program.modules['settings.js']
  if (module !== undefined) {
    Object.assign(module, {
      run: (_require: unknown, target: { exports: unknown }) =>
        Object.assign(target, { exports: { settings } }),
    })
  }
  registerComponents()
  const pages: Pages = new Pages(element('pages'), () => drawBars(pages))
  const { app } = loadProgram(createWx(pages), () => pages.instances())
  element('back').onclick = () => pages.navigateBack(1)
  startClock()
  app.onLaunch?.({})
  app.onShow?.({})
  pages.reLaunch(program.manifest.pages[0])
  document.addEventListener('visibilitychange', () => {
    const isVisible = document.visibilityState === 'visible'
    if (isVisible) app.onShow?.({})
    else app.onHide?.()
    emitAppVisibility(isVisible)
    pages.emit(isVisible ? 'onShow' : 'onHide')
  })
}

start().catch((error: unknown) => {
  console.error(error)
  document.documentElement.classList.add('failed')
})
