/** `input`, on the browser's own. */
import { offer } from '../overlays.ts'
import { language } from '../wx/device.ts'
import { nickname } from '../wx/user.ts'
import type { Builtin, HostElement } from './element.ts'

const ignored = {
  placeholderStyle: 'text',
  placeholderClass: 'text',
  autoFocus: 'flag',
  cursorSpacing: 'number',
  cursorColor: 'text',
  confirmType: 'text',
  confirmHold: 'flag',
  cursor: 'number',
  selectionStart: 'number',
  selectionEnd: 'number',
  adjustPosition: 'any',
  holdKeyboard: 'flag',
  alwaysEmbed: 'flag',
  safePasswordCertPath: 'text',
  safePasswordLength: 'any',
  safePasswordTimeStamp: 'any',
  safePasswordNonce: 'text',
  safePasswordSalt: 'text',
  safePasswordCustomHash: 'text',
} as const

const keyboards: Readonly<Record<string, string>> = { number: 'numeric', digit: 'decimal' }

export const input: Builtin = {
  name: 'input',
  properties: {
    value: 'any',
    type: 'text',
    password: 'flag',
    placeholder: 'text',
    disabled: 'flag',
    maxlength: 'any',
    focus: 'flag',
    ...ignored,
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
      const longest = Number(get('maxlength') ?? 140)
      if (longest >= 0) field.maxLength = longest
      if (get('focus') === true && document.activeElement !== field) field.focus()
    }
  },
}

function listen({ fire, set }: HostElement, field: HTMLInputElement): void {
  field.addEventListener('input', (event) => {
    // The browser's own event would reach the page as well.
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

/** As WeChat's keyboard does for fields of the type `nickname`. */
function suggestNickname(field: HTMLInputElement): void {
  const name = nickname()
  offer(language() === 'en' ? `Use WeChat name: ${name}` : `用微信昵称：${name}`, field, () => {
    field.value = name
    field.dispatchEvent(new InputEvent('input', { bubbles: true }))
  })
}
