import { texts } from '../../i18n/language'
import { formatFen, maxTransfer, maxWithoutConfirmation, parseFen } from '../../money/fen'
import { fetchContacts } from '../../services/chat'
import { findPending } from '../../services/pending-transfer'
import type { TransferOrder, TransferOutcome } from '../../services/transfers'
import { createOrder, findOut, giveUp, sendTransfer } from '../../services/transfers'
import type { Wallet } from '../../services/wallet'
import { fetchWallet } from '../../services/wallet'

/** `form`, then one of what is known about the transfer. */
type Stage = 'form' | 'sending' | 'done' | 'refused' | 'unknown'

/** What people see of an order. */
interface OrderRow {
  readonly payee: string
  readonly amount: number
  readonly note: string
}

/** After so many milliseconds people are told that it is the network. */
const slowAfter = 4_000

/** Letters and digits of any script, and `_`, `.`, `@`, `-`. */
const payeeForm = /^[^\s!-,/:-?[-^`{-~]{1,64}$/

/** What must not wait for a `setData`: a second tap may come before it is drawn. */
const page = {
  wallet: undefined as Wallet | undefined,
  isOpen: false,
  isBusy: false,
  order: undefined as TransferOrder | undefined,
  receipt: '',
  /** Counts what was begun with the order: only the last of it is shown. */
  turn: 0,
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
    isAsking: false,
    canGiveUp: false,
    mustComplete: false,
    needsFinger: false,
    order: { payee: '', amount: 0, note: '' } as OrderRow,
    stateTitle: '',
    stateDetail: '',
  },

  onLoad(query: Record<string, string | undefined>) {
    Object.assign(page, { isOpen: true, isBusy: false, order: undefined, receipt: '', turn: page.turn + 1 })
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
    // Without it the form is as good: the service decides.
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
    // One order, one key: however often it is confirmed, it is one transfer.
    page.order = await createOrder(payee, amount, this.data.note.trim())
    const needsFinger = amount > maxWithoutConfirmation
    this.setData({ order: rowOf(page.order), needsFinger, isConfirming: true })
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
    const isCurrent = nextTurn()
    const { sending, sendingSlow } = texts().transfer
    const stage = { stage: 'sending', stateTitle: sending, stateDetail: '', canGiveUp: false } as const
    this.setData({ isConfirming: false, ...stage })
    const timer = setTimeout(() => {
      if (isCurrent()) this.setData({ stateDetail: sendingSlow, canGiveUp: true })
    }, slowAfter)
    const outcome = await sendTransfer(order).finally(() => clearTimeout(timer))
    page.isBusy = false
    if (!isCurrent()) return
    this.show(outcome)
    if (outcome.kind === 'unknown') await this.askAgain()
  },

  async resume(order: TransferOrder) {
    page.order = order
    this.setData({ order: rowOf(order) })
    await this.askAgain()
  },

  async askAgain() {
    const { order } = page
    if (order === undefined) return
    const isCurrent = nextTurn()
    this.showAsking(order)
    const outcome = await findOut(order, isCurrent)
    if (!isCurrent()) return
    this.show(outcome)
    if (outcome.kind !== 'unknown') return
    const mustComplete = order.isGivenUp && outcome.because === 'interrupted'
    this.setData({ isAsking: false, mustComplete, stateDetail: stillOpen(order, outcome) })
  },

  async onGiveUp() {
    const { order } = page
    if (order === undefined || order.isGivenUp) return
    const isCurrent = nextTurn()
    this.showAsking({ ...order, isGivenUp: true })
    page.order = await giveUp(order)
    if (isCurrent()) await this.askAgain()
  },

  /** What was interrupted is not known before it is completed: people agree to that first. */
  async onComplete() {
    const { order } = page
    if (order === undefined) return
    const isCurrent = nextTurn()
    this.showAsking({ ...order, isGivenUp: false })
    page.order = await giveUp(order, false)
    if (isCurrent()) await this.askAgain()
  },

  showAsking({ isGivenUp }: TransferOrder) {
    const { unknown, unknownDetail, givingUp, givingUpDetail } = texts().transfer
    this.setData({
      stage: 'unknown',
      isAsking: true,
      canGiveUp: !isGivenUp,
      mustComplete: false,
      stateTitle: isGivenUp ? givingUp : unknown,
      stateDetail: isGivenUp ? givingUpDetail : unknownDetail,
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

  /** What was refused has not happened: the next try is another order. */
  changeOrder() {
    this.setData({ stage: 'form', errors: { payee: '', amount: '' } })
    void this.loadBalance()
  },

  toWallet() {
    wx.switchTab({ url: '/pages/wallet/wallet' })
  },
})

/** @returns whether the page is still open, and nothing else was begun with the order meanwhile */
function nextTurn(): () => boolean {
  page.turn += 1
  const { turn } = page
  return () => page.isOpen && page.turn === turn
}

function stillOpen({ isGivenUp }: TransferOrder, outcome: TransferOutcome): string {
  const { stillRunning, interrupted, notStopped, stillUnknown } = texts().transfer
  if (outcome.kind === 'unknown' && outcome.because === 'running') return stillRunning
  if (outcome.kind === 'unknown' && outcome.because === 'interrupted') return interrupted
  return isGivenUp ? notStopped : stillUnknown
}

function rowOf({ payee, amount, note }: TransferOrder): OrderRow {
  return { payee, amount, note }
}

function payeeProblem(payee: string): string {
  return payeeForm.test(payee) && payee !== page.wallet?.user ? '' : texts().transfer.payeeInvalid
}

function amountProblem(amount: number | undefined): string {
  const { amountInvalid, amountTooSmall, amountTooLarge, insufficient } = texts().transfer
  if (amount === undefined) return amountInvalid
  if (amount === 0) return amountTooSmall
  if (amount > maxTransfer) return amountTooLarge
  return page.wallet !== undefined && amount > page.wallet.balance ? insufficient : ''
}
