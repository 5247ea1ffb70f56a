/** Starts the mini program in this page. */
import { registerComponents } from './framework.ts'
import { loadProgram } from './loader.ts'
import { Pages } from './pages.ts'
import { drawBars, part, startClock } from './phone.ts'
import { program } from './program.ts'
import { fetchSettings } from './settings.ts'
import { announceApp, createWx } from './wx/wx.ts'

async function start(): Promise<void> {
  const settings = await fetchSettings()
  // Instead of the settings that the app was built with: those of the service that shows this page.
  const module = program.modules['settings.js']
  if (module !== undefined) {
    Object.assign(module, {
      run: (_require: unknown, target: { exports: unknown }) =>
        Object.assign(target, { exports: { settings } }),
    })
  }
  registerComponents()
  const pages: Pages = new Pages(part('pages'), () => drawBars(pages))
  const { app } = loadProgram(createWx(pages), () => pages.instances())
  part('back').onclick = () => pages.navigateBack(1)
  startClock()
  app.onLaunch?.({})
  app.onShow?.({})
  pages.reLaunch(program.manifest.pages[0])
  document.addEventListener('visibilitychange', () => {
    const isShown = document.visibilityState === 'visible'
    if (isShown) app.onShow?.({})
    else app.onHide?.()
    announceApp(isShown)
    pages.announce(isShown ? 'onShow' : 'onHide')
  })
}

start().catch((error: unknown) => {
  console.error(error)
  document.documentElement.classList.add('failed')
})
