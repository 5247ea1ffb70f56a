import { texts } from '../../i18n/language'
import { formatFen, maxTransfer, maxWithoutConfirmation, parseFen } from '../../money/fen'
import { fetchContacts } from '../../services/chat'
import type { TransferOrder, TransferOutcome } from '../../services/transfers'
import { cancelOrder, createOrder, findPending, resolveOutcome, sendTransfer } from '../../services/transfers'
import type { Wallet } from '../../services/wallet'
import { fetchWallet } from '../../services/wallet'

/** `form`, then the state of the transfer. */
type Stage = 'form' | 'sending' | 'done' | 'refused' | 'unknown'

/** The displayed part of an order. */
interface OrderRow {
  readonly payee: string
  readonly amount: number
  readonly note: string
}

/** After this many milliseconds, the page shows that the network is slow. */
const slowAfter = 4_000

/** Letters and digits of any script, `_`, `.`, `@` and `-`. */
const payeePattern = /^[^\s!-,/:-?[-^`{-~]{1,64}$/

/** State outside `data`: `setData` is asynchronous, and a second tap may come before it is applied. */
const page = {
  wallet: undefined as Wallet | undefined,
  isOpen: false,
  isBusy: false,
  order: undefined as TransferOrder | undefined,
  receipt: '',
  /** Number of the latest action; results of earlier ones are ignored. */
  action: 0,
}

Page({
  data: {
    t: texts().transfer,
    common: texts().common,
    stage: 'form' as Stage,
    payee: '',
    amountText: '',
    note: '',
    errors: { payee: '', amount: '' },
    availableText: '',
    contacts: [] as readonly string[],
    isConfirming: false,
    isChecking: false,
    canCancel: false,
    mustComplete: false,
    needsBiometrics: false,
    order: { payee: '', amount: 0, note: '' } as OrderRow,
    stateTitle: '',
    stateDetail: '',
  },

  onLoad(query: Record<string, string | undefined>) {
    Object.assign(page, {
      isOpen: true,
      isBusy: false,
      order: undefined,
      receipt: '',
      action: page.action + 1,
    })
    const { transfer, common } = texts()
    this.setData({ t: transfer, common, payee: decodeURIComponent(query.payee ?? '') })
    wx.setNavigationBarTitle({ title: transfer.title })
    const pending = query.pending === undefined ? undefined : findPending()
    if (pending === undefined) void Promise.all([this.loadBalance(), this.loadContacts()])
    else void this.resume(pending)
  },

  onUnload() {
    page.isOpen = false
  },

  async loadBalance() {
    // The balance is optional: the service checks it.
    page.wallet = await fetchWallet().catch(() => undefined)
    if (page.wallet === undefined) return
    this.setData({ availableText: `${texts().transfer.available} ¥${formatFen(page.wallet.balance)}` })
  },

  async loadContacts() {
    const contacts = await fetchContacts().catch(() => [])
    this.setData({ contacts: contacts.slice(0, 6).map(({ name }) => name) })
  },

  chooseContact({ currentTarget }: WechatMiniprogram.TouchEvent) {
    this.setData({ payee: String(currentTarget.dataset.name), 'errors.payee': '' })
  },

  onPayee({ detail }: WechatMiniprogram.CustomEvent<{ value: string }>) {
    this.setData({ payee: detail.value, 'errors.payee': '' })
  },

  onAmount({ detail }: WechatMiniprogram.CustomEvent<{ value: string }>) {
    this.setData({ amountText: detail.value, 'errors.amount': '' })
  },

  onNote({ detail }: WechatMiniprogram.CustomEvent<{ value: string }>) {
    this.setData({ note: detail.value })
  },

  async onNext() {
    const payee = this.data.payee.trim()
    const amount = parseFen(this.data.amountText)
    const errors = { payee: payeeProblem(payee), amount: amountProblem(amount) }
    this.setData({ errors })
    if (amount === undefined || errors.payee !== '' || errors.amount !== '') return
    // The key makes repeated confirmations one transfer.
    page.order = await createOrder(payee, amount, this.data.note.trim())
    const needsBiometrics = amount > maxWithoutConfirmation
    this.setData({ order: rowOf(page.order), needsBiometrics, isConfirming: true })
  },

  onSheet({ detail }: WechatMiniprogram.CustomEvent<{ visible: boolean }>) {
    this.setData({ isConfirming: detail.visible })
  },

  closeSheet() {
    this.setData({ isConfirming: false })
  },

  async onConfirm() {
    const { order } = page
    if (order === undefined || page.isBusy) return
    page.isBusy = true
    const isCurrent = startAction()
    const { sending, sendingSlow } = texts().transfer
    const stage = { stage: 'sending', stateTitle: sending, stateDetail: '', canCancel: false } as const
    this.setData({ isConfirming: false, ...stage })
    const timer = setTimeout(() => {
      if (isCurrent()) this.setData({ stateDetail: sendingSlow, canCancel: true })
    }, slowAfter)
    const outcome = await sendTransfer(order).finally(() => clearTimeout(timer))
    page.isBusy = false
    if (!isCurrent()) return
    this.show(outcome)
    if (outcome.kind === 'unknown') await this.checkAgain()
  },

  async resume(order: TransferOrder) {
    page.order = order
    this.setData({ order: rowOf(order) })
    await this.checkAgain()
  },

  async checkAgain() {
    const { order } = page
    if (order === undefined) return
    const isCurrent = startAction()
    this.showChecking(order)
    const outcome = await resolveOutcome(order, isCurrent)
    if (!isCurrent()) return
    this.show(outcome)
    if (outcome.kind !== 'unknown') return
    const mustComplete = order.isCancelled && outcome.reason === 'interrupted'
    this.setData({ isChecking: false, mustComplete, stateDetail: unknownReason(order, outcome) })
  },

  async onCancelTransfer() {
    const { order } = page
    if (order === undefined || order.isCancelled) return
    const isCurrent = startAction()
    this.showChecking({ ...order, isCancelled: true })
    page.order = await cancelOrder(order)
    if (isCurrent()) await this.checkAgain()
  },

  /** An interrupted transfer must be completed to learn its outcome. The user decides that. */
  async onComplete() {
    const { order } = page
    if (order === undefined) return
    const isCurrent = startAction()
    this.showChecking({ ...order, isCancelled: false })
    page.order = await cancelOrder(order, false)
    if (isCurrent()) await this.checkAgain()
  },

  showChecking({ isCancelled }: TransferOrder) {
    const { unknown, unknownDetail, cancelling, cancellingDetail } = texts().transfer
    this.setData({
      stage: 'unknown',
      isChecking: true,
      canCancel: !isCancelled,
      mustComplete: false,
      stateTitle: isCancelled ? cancelling : unknown,
      stateDetail: isCancelled ? cancellingDetail : unknownDetail,
    })
  },

  show(outcome: TransferOutcome) {
    const { t } = this.data
    switch (outcome.kind) {
      case 'done':
        page.receipt = outcome.transfer.id
        this.setData({ stage: 'done', stateTitle: t.done, stateDetail: t.doneDetail })
        return
      case 'refused':
        this.setData({ stage: 'refused', stateTitle: t.refused, stateDetail: outcome.reason })
        return
      case 'unknown':
        this.setData({ stage: 'unknown', stateTitle: t.stillUnknownTitle })
    }
  },

  openReceipt() {
    wx.redirectTo({ url: `/pages/receipt/receipt?id=${encodeURIComponent(page.receipt)}` })
  },

  /** A refused order is final: the next attempt is a new order. */
  changeOrder() {
    this.setData({ stage: 'form', errors: { payee: '', amount: '' } })
    void this.loadBalance()
  },

  toWallet() {
    wx.switchTab({ url: '/pages/wallet/wallet' })
  },
})

/** Starts an action. @returns whether the page is open and the action is the latest one */
function startAction(): () => boolean {
  page.action += 1
  const { action } = page
  return () => page.isOpen && page.action === action
}

function unknownReason({ isCancelled }: TransferOrder, outcome: TransferOutcome): string {
  const { stillRunning, interrupted, notCancelled, stillUnknown } = texts().transfer
  if (outcome.kind === 'unknown' && outcome.reason === 'running') return stillRunning
  if (outcome.kind === 'unknown' && outcome.reason === 'interrupted') return interrupted
  return isCancelled ? notCancelled : stillUnknown
}

function rowOf({ payee, amount, note }: TransferOrder): OrderRow {
  return { payee, amount, note }
}

function payeeProblem(payee: string): string {
  return payeePattern.test(payee) && payee !== page.wallet?.user ? '' : texts().transfer.payeeInvalid
}

function amountProblem(amount: number | undefined): string {
  const { amountInvalid, amountTooSmall, amountTooLarge, insufficient } = texts().transfer
  if (amount === undefined) return amountInvalid
  if (amount === 0) return amountTooSmall
  if (amount > maxTransfer) return amountTooLarge
  return page.wallet !== undefined && amount > page.wallet.balance ? insufficient : ''
}
