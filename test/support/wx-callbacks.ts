/** Callbacks of `wx`: objects of the caller's realm, never synchronous. */

/** The constructors of the code under test, so that its `instanceof` and its buffers are of one realm. */
export interface Realm {
  readonly ArrayBuffer: ArrayBufferConstructor
  readonly Uint8Array: Uint8ArrayConstructor
  readonly Object: ObjectConstructor
}

export interface Callbacks {
  // Methods, so that callers may know more about the results than `object`.
  success?(result: object): void
  fail?(failure: object): void
  complete?(result: object): void
}

export function settle(callbacks: Callbacks, kind: 'success' | 'fail', result: object): void {
  later(() => {
    callbacks[kind]?.(result)
    callbacks.complete?.(result)
  })
}

export function later(run: () => unknown): void {
  setTimeout(run, 0)
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function ofRealm(value: object, realm: Realm): object {
  return realm.Object.assign(new realm.Object(), value)
}

export function bufferOf(bytes: Uint8Array, realm: Realm): ArrayBuffer {
  const buffer = new realm.ArrayBuffer(bytes.length)
  new realm.Uint8Array(buffer).set(bytes)
  return buffer
}
