/** On phones, `setData` serializes data as JSON between two engines. The simulator checks that this is possible. */

/** @throws TypeError with the path of the first value that is not JSON: a function, `undefined`, a class, a cycle */
export function assertJsonSafe(value: unknown, path: string, ancestors: readonly object[] = []): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (typeof value !== 'object') throw new TypeError(`setData: ${path} is ${typeof value}`)
  if (ancestors.includes(value)) throw new TypeError(`setData: ${path} contains itself`)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`setData: ${path} is not plain data`)
  }
  for (const [name, member] of Object.entries(value)) {
    assertJsonSafe(member, `${path}.${name}`, [...ancestors, value])
  }
}
