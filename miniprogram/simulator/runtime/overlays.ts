/** What a phone draws over a page: toasts, questions and the fingerprint prompt. */
import { part, text } from './phone.ts'

let toastTimer: ReturnType<typeof setTimeout> | undefined

/** @param durationMs `undefined`: until it is hidden */
export function showToast(title: string, durationMs: number | undefined, isLoading: boolean): void {
  hideToast()
  const toast = document.createElement('div')
  toast.className = isLoading ? 'toast loading' : 'toast'
  toast.setAttribute('role', 'status')
  toast.textContent = title
  part('overlays').append(toast)
  if (durationMs !== undefined) toastTimer = setTimeout(hideToast, durationMs)
}

export function hideToast(): void {
  clearTimeout(toastTimer)
  part('overlays').querySelector('.toast')?.remove()
}

export interface Question {
  readonly title: string
  readonly content: string
  /** `undefined`: there is nothing to cancel. */
  readonly cancelText: string | undefined
  readonly confirmText: string
}

/** @returns whether people agreed. */
export function ask(question: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const { close, box } = openDialog('dialog')
    const answer = (value: boolean) => () => {
      close()
      resolve(value)
    }
    const buttons = document.createElement('div')
    buttons.className = 'buttons'
    if (question.cancelText !== undefined)
      buttons.append(button(question.cancelText, 'cancel', answer(false)))
    buttons.append(button(question.confirmText, 'confirm', answer(true)))
    box.append(text('h2', question.title), text('p', question.content), buttons)
  })
}

/** How a prompt for finger or face ended. */
export type Touched = 'confirmed' | 'cancelled'

/** The system's sheet: a tap on the print is the finger. The words are those of the phone, not of the app. */
export function askForFinger(content: string, isChinese: boolean): Promise<Touched> {
  return new Promise((resolve) => {
    const { close, box } = openDialog('dialog biometric')
    const answer = (value: Touched) => () => {
      close()
      resolve(value)
    }
    const print = button('', 'print', answer('confirmed'))
    print.setAttribute('aria-label', isChinese ? '指纹' : 'Fingerprint')
    box.append(
      text('h2', isChinese ? '验证指纹' : 'Confirm with fingerprint'),
      text('p', content),
      print,
      text('p', isChinese ? '轻触指纹图案，代替手指' : 'Touch the print: it stands for your finger'),
      button(isChinese ? '取消' : 'Cancel', 'cancel', answer('cancelled')),
    )
  })
}

/** A line above where the keyboard would be, as long as `field` has the cursor. */
export function offer(label: string, field: HTMLElement, onTap: () => void): void {
  const line = button(label, 'offer', () => {})
  // Before the field loses the cursor.
  line.onpointerdown = (event) => {
    event.preventDefault()
    line.remove()
    onTap()
  }
  field.addEventListener('blur', () => line.remove(), { once: true })
  part('overlays').append(line)
}

function openDialog(className: string): { readonly close: () => void; readonly box: HTMLElement } {
  const cover = document.createElement('div')
  cover.className = `cover ${className}`
  const box = document.createElement('div')
  box.className = 'box'
  box.setAttribute('role', 'dialog')
  cover.append(box)
  part('overlays').append(cover)
  return { close: () => cover.remove(), box }
}

function button(label: string, className: string, onTap: () => void): HTMLButtonElement {
  const made = document.createElement('button')
  made.type = 'button'
  made.className = className
  made.textContent = label
  made.onclick = onTap
  return made
}
