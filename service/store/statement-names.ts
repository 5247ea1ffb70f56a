/** Names for the statements that are worth preparing: those that come again and again. */

/** How often a text must have come. */
const worth = 20
/** Bounds what each connection of the server keeps. */
const maxNames = 120
/** Bounds what is counted. */
const maxCounted = 2_000

/**
 * @returns gives a text its name, always the same one; `undefined` for what is rare, and for lists, whose text is another
 *   one for each length
 */
export function statementNames(): (text: string) => string | undefined {
  const names = new Map<string, string>()
  const counts = new Map<string, number>()
  return (text) => {
    const name = names.get(text)
    if (name !== undefined || names.size >= maxNames) return name
    const count = (counts.get(text) ?? 0) + 1
    if (counts.size >= maxCounted) counts.clear()
    counts.set(text, count)
    if (count < worth) return undefined
    counts.delete(text)
    const made = `miniseal_${names.size}`
    names.set(text, made)
    return made
  }
}
