/** The built-in elements that this host brings: those that the app and the components it uses need. */
export const builtinNames = ['view', 'text', 'button', 'input', 'image', 'scroll-view', 'label'] as const

export type BuiltinName = (typeof builtinNames)[number]
