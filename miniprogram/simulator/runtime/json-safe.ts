/** Data for `setData` crosses from one engine to another on phones, as JSON: here nothing crosses, so it is checked. */

/** @throws TypeError naming the first place that JSON cannot hold: a function, `undefined`, a class, a cycle. */
export function assertJsonSafe(value: unknown, path: string, above: readonly object[] = []): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (typeof value !== 'object') throw new TypeError(`setData: ${path} is ${typeof value}`)
  if (above.includes(value)) throw new TypeError(`setData: ${path} contains itself`)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`setData: ${path} is not plain data`)
  }
  for (const [name, member] of Object.entries(value)) {
    assertJsonSafe(member, `${path}.${name}`, [...above, value])
  }
}
