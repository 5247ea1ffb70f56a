/** A Stryker plugin that skips the messages of errors: no behaviour depends on them. */

const errors = new Set(['Error', 'ProtocolError', 'FormatError', 'LogError'])

/** Where the first argument is a code or a reason, only the second one is a message. */
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
      shouldIgnore: (path) => (isMessage(path) ? 'messages of errors are for developers' : undefined),
    },
  },
]
