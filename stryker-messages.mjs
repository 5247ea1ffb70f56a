/** Tells Stryker to leave the words of errors alone: they are for developers, and nothing may depend on them. */

const errors = new Set(['Error', 'ProtocolError', 'FormatError', 'LogError'])

/** The word of the code or the reason comes first in some, and is not left alone. */
function isMessage(path) {
  const call = path.parentPath?.node
  if (!path.isStringLiteral?.() && !path.isTemplateLiteral?.()) return false
  if (call?.type !== 'NewExpression' || !errors.has(call.callee.name)) return false
  return call.arguments.indexOf(path.node) === (['Error', 'FormatError'].includes(call.callee.name) ? 0 : 1)
}

export const strykerPlugins = [
  {
    kind: 'Ignore',
    name: 'messages',
    value: {
      shouldIgnore: (path) => (isMessage(path) ? 'the words of an error are for developers' : undefined),
    },
  },
]
