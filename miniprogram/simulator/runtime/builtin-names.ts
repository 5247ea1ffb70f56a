/** The implemented built-in elements: those that the app and its components use. */
export const builtinNames = ['view', 'text', 'button', 'input', 'image', 'scroll-view', 'label'] as const

export type BuiltinName = (typeof builtinNames)[number]
