/** A verification step of a receipt. */
export interface StepTexts {
  readonly title: string
  readonly detail: string
}

/** The texts of the app. */
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
    readonly notSent: string
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
    readonly stillUnknownTitle: string
    readonly stillUnknown: string
    readonly stillRunning: string
    readonly cancelTransfer: string
    readonly cancelling: string
    readonly cancellingDetail: string
    readonly notCancelled: string
    readonly interrupted: string
    readonly complete: string
    readonly cancelled: string
    readonly checkAgain: string
    readonly backToWallet: string
    readonly viewReceipt: string
    readonly changeOrder: string
  }
  readonly receipt: {
    readonly title: string
    readonly sent: string
    readonly received: string
    readonly to: string
    readonly from: string
    readonly time: string
    readonly note: string
    readonly number: string
    readonly proof: string
    readonly position: string
    readonly copy: string
    readonly stamp: string
    readonly legend: string
    readonly elsewhere: string
    readonly checking: string
    readonly pending: string
    readonly verified: string
    readonly failed: string
    readonly steps: Readonly<
      Record<'leaf' | 'contents' | 'checkpoint' | 'inclusion' | 'witnesses', StepTexts>
    >
    /** `{n}` is replaced by the number. */
    readonly rootLabel: string
    readonly leafLabel: string
  }
  readonly messages: {
    readonly title: string
    readonly live: string
    readonly notLive: string
    readonly empty: string
    readonly emptyDetail: string
    readonly noMessages: string
    readonly placeholder: string
    readonly send: string
    readonly sending: string
    readonly failed: string
    readonly safe: string
    readonly pay: string
    readonly received: string
  }
  readonly name: {
    readonly title: string
    readonly detail: string
    readonly placeholder: string
    readonly save: string
    readonly invalid: string
    readonly taken: string
    readonly add: string
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
