/** The writes on the service's keys, as data: made, started, ended. */
import type { NewServiceKey, ServiceKeyKind } from './store.ts'

/** Part of `Write`; what is said there holds for these too. */
export type ServiceKeyWrite =
  /** Refused when this kind has this kid already. */
  | { readonly kind: 'insert-service-key'; readonly key: NewServiceKey }
  /** Refused when there is no such key, or when it has an end already: the first one stands. */
  | {
      readonly kind: 'end-service-key'
      readonly keyKind: ServiceKeyKind
      readonly kid: string
      readonly notAfter: number
    }
  /** Moves the beginning of a key's use. Refused when there is no such key, or when it has an end. */
  | {
      readonly kind: 'start-service-key'
      readonly keyKind: ServiceKeyKind
      readonly kid: string
      readonly notBefore: number
    }
  /** Ends a key at once, also one that has a later end. Refused when there is no such key, or when it is over. */
  | {
      readonly kind: 'cut-service-key'
      readonly keyKind: ServiceKeyKind
      readonly kid: string
      readonly now: number
    }
