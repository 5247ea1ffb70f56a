/** Built-in elements as components of the framework: what each has in common. */
import type { glassEasel } from 'glass-easel-miniprogram-adapter'
import type { BuiltinName } from './names.ts'

/** A built-in element as its behaviour sees it. */
export interface HostElement {
  readonly dom: HTMLElement
  /** The current value of a property. */
  get(name: string): unknown
  /** Sets properties as people do, for example by typing. */
  set(values: Readonly<Record<string, unknown>>): void
  /** Sends an event to the page; it does not bubble. */
  fire(type: string, detail: unknown): void
}

type PropertyKind = 'text' | 'flag' | 'number' | 'any'

export interface Builtin {
  readonly name: BuiltinName
  readonly properties?: Readonly<Record<string, PropertyKind>>
  /** Called when it enters the page. @returns what to do after every change of properties. */
  readonly attach?: (element: HostElement) => () => void
}

/** On every element. */
const common: Readonly<Record<string, PropertyKind>> = {
  hoverClass: 'text',
  hoverStopPropagation: 'flag',
  hoverStartTime: 'number',
  hoverStayTime: 'number',
  ariaLabel: 'text',
  ariaRole: 'text',
  ariaHidden: 'any',
  ariaLive: 'text',
  ariaRoledescription: 'text',
  ariaDescribedby: 'any',
}

const kinds = {
  text: { type: String, value: '' },
  flag: { type: Boolean, value: false },
  number: { type: Number, value: 0 },
  any: { type: null, value: null },
}

const reactions = new WeakMap<object, () => void>()

/** Makes an element known to all templates of a space. */
export function registerBuiltin(space: glassEasel.ComponentSpace, builtin: Builtin): void {
  const names = { ...common, ...builtin.properties }
  const definition = space.defineComponent({
    is: `builtin/${builtin.name}`,
    properties: Object.fromEntries(Object.entries(names).map(([name, kind]) => [name, kinds[kind]])),
    observers: {
      '**'(this: glassEasel.GeneralComponent) {
        reactions.get(this)?.()
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
  const element: HostElement = {
    dom,
    get: (name) => component.data[name] as unknown,
    set: (values) => component.setData(values),
    fire: (type, detail) => component.triggerEvent(type, detail, { bubbles: false }),
  }
  const react = attach?.(element)
  const update = (): void => {
    describe(element)
    react?.()
  }
  reactions.set(component, update)
  update()
}

/** What people who do not see the screen are told. */
function describe({ dom, get }: HostElement): void {
  reflect(dom, 'aria-label', get('ariaLabel'))
  reflect(dom, 'aria-live', get('ariaLive'))
  reflect(dom, 'role', get('ariaRole'))
  if (get('ariaHidden') === true) dom.setAttribute('aria-hidden', 'true')
}

/** An attribute for the sheet of built-in elements; empty values and `false` remove it. */
export function reflect(dom: HTMLElement, name: string, value: unknown): void {
  if (value === false || value === undefined || value === null || value === '') dom.removeAttribute(name)
  else dom.setAttribute(name, value === true ? '' : String(value))
}
