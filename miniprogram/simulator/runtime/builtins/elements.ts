/** Every built-in element. */
import type { glassEasel } from 'glass-easel-miniprogram-adapter'
import { imageUrl } from '../program.ts'
import type { Builtin } from './element.ts'
import { reflect, registerBuiltin } from './element.ts'
import { input } from './input.ts'

const openTypes = {
  formType: 'text',
  openType: 'text',
  lang: 'text',
  sessionFrom: 'text',
  sendMessageTitle: 'text',
  sendMessagePath: 'text',
  sendMessageImg: 'text',
  appParameter: 'text',
  showMessageCard: 'any',
  phoneNumberNoQuotaToast: 'any',
  activityType: 'any',
  entrancePath: 'any',
  needShowEntrance: 'any',
} as const

const button: Builtin = {
  name: 'button',
  properties: { type: 'text', size: 'text', plain: 'flag', disabled: 'flag', loading: 'flag', ...openTypes },
  attach: ({ dom, get }) => {
    dom.setAttribute('role', 'button')
    // A disabled button swallows the tap before anything else sees it.
    for (const type of ['mousedown', 'touchstart']) {
      dom.addEventListener(type, (event) => {
        if (get('disabled') === true) event.stopImmediatePropagation()
      })
    }
    return () => {
      for (const name of ['type', 'size', 'plain', 'disabled', 'loading']) reflect(dom, name, get(name))
    }
  },
}

const fits: Readonly<Record<string, string>> = {
  aspectFit: 'fit-contain',
  aspectFill: 'fit-cover',
  widthFix: 'fit-width',
}

const image: Builtin = {
  name: 'image',
  properties: { src: 'text', mode: 'text', lazyLoad: 'flag', webp: 'flag', showMenuByLongpress: 'flag' },
  attach: ({ dom, get, fire }) => {
    const picture = document.createElement('img')
    picture.alt = ''
    picture.onload = () => fire('load', { width: picture.naturalWidth, height: picture.naturalHeight })
    picture.onerror = () => fire('error', { errMsg: 'GET image failed' })
    dom.appendChild(picture)
    return () => {
      const source = imageUrl(String(get('src')))
      if (picture.getAttribute('src') !== source) picture.setAttribute('src', source)
      picture.className = fits[String(get('mode'))] ?? 'fit-fill'
    }
  },
}

const scrollView: Builtin = {
  name: 'scroll-view',
  properties: {
    scrollX: 'flag',
    scrollY: 'flag',
    scrollTop: 'any',
    scrollIntoView: 'text',
    scrollWithAnimation: 'flag',
    enhanced: 'flag',
    showScrollbar: 'any',
    enableFlex: 'flag',
    type: 'text',
  },
  attach: ({ dom, get, fire }) => {
    let top: unknown = null
    dom.addEventListener('scroll', () => {
      fire('scroll', { scrollTop: dom.scrollTop, scrollHeight: dom.scrollHeight })
    })
    return () => {
      reflect(dom, 'scroll-y', get('scrollY'))
      if (get('scrollTop') === top) return
      top = get('scrollTop')
      // After the content that was set together with it is there.
      requestAnimationFrame(() => {
        dom.scrollTop = Number(top)
      })
    }
  },
}

const all: readonly Builtin[] = [
  { name: 'view' },
  { name: 'text', properties: { selectable: 'flag', userSelect: 'flag', decode: 'flag', space: 'text' } },
  { name: 'label', properties: { for: 'text' } },
  button,
  input,
  image,
  scrollView,
]

export function registerBuiltins(space: glassEasel.ComponentSpace): void {
  for (const builtin of all) registerBuiltin(space, builtin)
}
