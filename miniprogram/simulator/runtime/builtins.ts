/** WeChat's built-in elements, as components of the framework. */
import type { glassEasel } from 'glass-easel-miniprogram-adapter'
import type { BuiltinName } from './builtin-names.ts'
import { showSuggestion } from './phone.ts'
import { imageUrl } from './program.ts'
import { language, nickname } from './wx/device.ts'

/** A built-in element, for its implementation. */
interface BuiltinElement {
  readonly dom: HTMLElement
  /** The current value of a property. */
  get(name: string): unknown
  /** Sets properties, for example after user input. */
  set(values: Readonly<Record<string, unknown>>): void
  /** Triggers an event that does not bubble. */
  fire(type: string, detail: unknown): void
}

type PropertyKind = 'text' | 'flag' | 'number' | 'any'

interface Builtin {
  readonly name: BuiltinName
  readonly properties?: Readonly<Record<string, PropertyKind>>
  /** Called when the element is attached. @returns a function to call after every change of properties */
  readonly attach?: (element: BuiltinElement) => () => void
}

/** Properties that templates set and the simulator ignores. */
function ignored(names: string): Record<string, PropertyKind> {
  return Object.fromEntries(names.split(' ').map((name) => [name, 'any']))
}

/** Properties of every element. */
const common: Readonly<Record<string, PropertyKind>> = {
  ariaLabel: 'text',
  ariaRole: 'text',
  ariaHidden: 'any',
  ariaLive: 'text',
  ...ignored(
    'hoverClass hoverStopPropagation hoverStartTime hoverStayTime ariaRoledescription ariaDescribedby',
  ),
}

const kinds = {
  text: { type: String, value: '' },
  flag: { type: Boolean, value: false },
  number: { type: Number, value: 0 },
  any: { type: null, value: null },
}

const updates = new WeakMap<object, () => void>()

/** Registers an element for all templates of a component space. */
function registerBuiltin(space: glassEasel.ComponentSpace, builtin: Builtin): void {
  const names = { ...common, ...builtin.properties }
  const definition = space.defineComponent({
    is: `builtin/${builtin.name}`,
    properties: Object.fromEntries(Object.entries(names).map(([name, kind]) => [name, kinds[kind]])),
    observers: {
      '**'(this: glassEasel.GeneralComponent) {
        updates.get(this)?.()
      },
    },
    lifetimes: {
      attached(this: glassEasel.GeneralComponent) {
        attach(this, builtin)
      },
    },
  })
  space.setGlobalUsingComponent(builtin.name, definition.general())
}

function attach(component: glassEasel.GeneralComponent, { attach }: Builtin): void {
  const dom = component.$$ as unknown as HTMLElement
  const element: BuiltinElement = {
    dom,
    get: (name) => component.data[name] as unknown,
    set: (values) => component.setData(values),
    fire: (type, detail) => component.triggerEvent(type, detail, { bubbles: false }),
  }
  const react = attach?.(element)
  const update = (): void => {
    setAria(element)
    react?.()
  }
  updates.set(component, update)
  update()
}

/** Sets the ARIA attributes. */
function setAria({ dom, get }: BuiltinElement): void {
  reflect(dom, 'aria-label', get('ariaLabel'))
  reflect(dom, 'aria-live', get('ariaLive'))
  reflect(dom, 'role', get('ariaRole'))
  if (get('ariaHidden') === true) dom.setAttribute('aria-hidden', 'true')
}

/** Sets an attribute for the style sheet; empty values and `false` remove it. */
function reflect(dom: HTMLElement, name: string, value: unknown): void {
  if (value === false || value === undefined || value === null || value === '') dom.removeAttribute(name)
  else dom.setAttribute(name, value === true ? '' : String(value))
}

const keyboards: Readonly<Record<string, string>> = { number: 'numeric', digit: 'decimal' }

const input: Builtin = {
  name: 'input',
  properties: {
    value: 'any',
    type: 'text',
    password: 'flag',
    placeholder: 'text',
    disabled: 'flag',
    maxlength: 'any',
    focus: 'flag',
    ...ignored(
      'placeholderStyle placeholderClass autoFocus cursorSpacing cursorColor confirmType confirmHold cursor ' +
        'selectionStart selectionEnd adjustPosition holdKeyboard alwaysEmbed safePasswordCertPath ' +
        'safePasswordLength safePasswordTimeStamp safePasswordNonce safePasswordSalt safePasswordCustomHash',
    ),
  },
  attach: (element) => {
    const { dom, get } = element
    const field = document.createElement('input')
    field.autocomplete = 'off'
    field.addEventListener('focus', () => {
      if (get('type') === 'nickname' && field.value === '') suggestNickname(field)
    })
    listen(element, field)
    dom.appendChild(field)
    return () => {
      const value = String(get('value') ?? '')
      if (field.value !== value) field.value = value
      field.placeholder = String(get('placeholder'))
      field.disabled = get('disabled') === true
      field.type = get('password') === true ? 'password' : 'text'
      field.inputMode = keyboards[String(get('type'))] ?? 'text'
      field.setAttribute('aria-label', String(get('ariaLabel') || get('placeholder')))
      const maxLength = Number(get('maxlength') ?? 140)
      if (maxLength >= 0) field.maxLength = maxLength
      if (get('focus') === true && document.activeElement !== field) field.focus()
    }
  },
}

function listen({ fire, set }: BuiltinElement, field: HTMLInputElement): void {
  field.addEventListener('input', (event) => {
    // The native event would reach the page too.
    event.stopPropagation()
    set({ value: field.value })
    fire('input', { value: field.value, cursor: field.selectionStart ?? 0, keyCode: 0 })
  })
  field.addEventListener('change', (event) => event.stopPropagation())
  field.addEventListener('focus', () => fire('focus', { value: field.value, height: 0 }))
  field.addEventListener('blur', () => {
    set({ focus: false })
    fire('blur', { value: field.value })
  })
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') fire('confirm', { value: field.value })
  })
}

/** Suggests the WeChat name, like WeChat's keyboard for fields of type `nickname`. */
function suggestNickname(field: HTMLInputElement): void {
  const name = nickname()
  showSuggestion(language() === 'en' ? `Use WeChat name: ${name}` : `使用微信昵称：${name}`, field, () => {
    field.value = name
    field.dispatchEvent(new InputEvent('input', { bubbles: true }))
  })
}

const button: Builtin = {
  name: 'button',
  properties: {
    ...{ type: 'text', size: 'text', plain: 'flag', disabled: 'flag', loading: 'flag' },
    ...ignored(
      'formType openType lang sessionFrom sendMessageTitle sendMessagePath sendMessageImg appParameter ' +
        'showMessageCard phoneNumberNoQuotaToast activityType entrancePath needShowEntrance',
    ),
  },
  attach: ({ dom, get }) => {
    dom.setAttribute('role', 'button')
    // A disabled button ignores taps.
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
  properties: { src: 'text', mode: 'text', ...ignored('lazyLoad webp showMenuByLongpress') },
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
    scrollY: 'flag',
    scrollTop: 'any',
    ...ignored('scrollX scrollIntoView scrollWithAnimation enhanced showScrollbar enableFlex type'),
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
      // After the content of the same update is rendered.
      requestAnimationFrame(() => {
        dom.scrollTop = Number(top)
      })
    }
  },
}

const all: readonly Builtin[] = [
  { name: 'view' },
  { name: 'text', properties: ignored('selectable userSelect decode space') },
  { name: 'label', properties: ignored('for') },
  button,
  input,
  image,
  scrollView,
]

export function registerBuiltins(space: glassEasel.ComponentSpace): void {
  for (const builtin of all) registerBuiltin(space, builtin)
}
