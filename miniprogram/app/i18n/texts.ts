/** Every sentence of the app; both languages have all of them. */
export interface Texts {
  readonly common: {
    readonly offline: string
    readonly noConnection: string
    readonly cannotLoad: string
    readonly wentWrong: string
    readonly retry: string
    readonly signIn: string
    readonly cancel: string
    readonly done: string
    readonly copied: string
    readonly me: string
  }
  readonly wallet: {
    readonly title: string
    readonly available: string
    readonly account: string
    readonly copyAccount: string
    readonly transfer: string
    readonly recent: string
    readonly empty: string
    readonly emptyDetail: string
    readonly pendingTitle: string
    readonly pendingDetail: string
    readonly checking: string
    readonly slow: string
  }
  readonly transfer: {
    readonly title: string
    readonly payee: string
    readonly payeePlaceholder: string
    readonly amount: string
    readonly available: string
    readonly note: string
    readonly notePlaceholder: string
    readonly next: string
    readonly payeeInvalid: string
    readonly amountInvalid: string
    readonly amountTooLarge: string
    readonly amountTooSmall: string
    readonly insufficient: string
    readonly notAccepted: string
    readonly offlineNotSent: string
    readonly confirmTitle: string
    readonly to: string
    readonly confirm: string
    readonly biometricHint: string
    readonly plainHint: string
    readonly sending: string
    readonly sendingSlow: string
    readonly done: string
    readonly doneDetail: string
    readonly refused: string
    readonly refusedDetail: string
    readonly unknown: string
    readonly unknownDetail: string
    readonly stillUnknown: string
    readonly askAgain: string
    readonly backToWallet: string
    readonly viewReceipt: string
    readonly changeOrder: string
  }
  readonly confirmation: {
    readonly cancelled: string
    readonly locked: string
    readonly 'not-enrolled': string
    readonly unsupported: string
  }
  readonly messages: {
    readonly title: string
  }
  readonly devices: {
    readonly title: string
    readonly thisPhone: string
    readonly others: string
    readonly noOthers: string
    readonly platforms: { readonly phone: string; readonly browser: string; readonly other: string }
    readonly signedIn: string
    readonly lastSeen: string
    readonly remove: string
    readonly removeTitle: string
    readonly removeDetail: string
    readonly removed: string
    readonly language: string
    readonly service: string
    readonly rootKey: string
    readonly rootKeyHint: string
    readonly signOut: string
    readonly signOutTitle: string
    readonly signOutDetail: string
    readonly signedOut: string
    readonly removedTitle: string
    readonly removedDetail: string
  }
}
