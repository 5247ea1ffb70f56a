import type { Receipt } from 'miniseal-client'
import { exactTime } from '../../i18n/dates'
import { texts } from '../../i18n/language'
import { neighbourSides } from '../../receipts/neighbours'
import { resetApp } from '../../services/devices'
import type { UserFacingError } from '../../services/failures'
import { toUserFacingError } from '../../services/failures'
import { fetchReceipt, findReceipt } from '../../services/receipts'
import type { Transfer } from '../../services/wallet'
import { fetchTransfers } from '../../services/wallet'

interface TransferView {
  readonly id: string
  readonly peer: string
  readonly amount: number
  readonly note: string
  readonly time: string
}

interface StepView {
  readonly name: string
  readonly state: 'ok' | 'failed' | 'pending'
  readonly mark: string
  readonly title: string
  readonly detail: string
}

interface ProofView {
  readonly state: Receipt['state']
  /** From the root down; `null` while the entry is not in the log. */
  readonly levels: readonly { readonly key: number; readonly side: 'left' | 'right' }[] | null
  readonly rootLabel: string
  readonly leafLabel: string
}

/** In the order in which they are checked. */
const stepNames = ['leaf', 'contents', 'checkpoint', 'inclusion'] as const

/** People see one check after the other: the time between two, in milliseconds. */
const stepPause = 260

/** An entry that is not in the log yet will be in a moment: asked for so often, after so many milliseconds. */
const patience = { times: 10, pause: 2_000 }

const page = { transfer: '', receipt: '', isOpen: false }

Page({
  data: {
    t: texts().receipt,
    transfer: null as TransferView | null,
    steps: [] as readonly StepView[],
    proof: null as ProofView | null,
    verdict: '',
    /** Why there is no proof here. */
    note: '',
    trouble: null as UserFacingError | null,
    skeleton: [
      { width: '50%', height: '72rpx' },
      { width: '100%', height: '36rpx' },
    ],
  },

  onLoad(query: Record<string, string | undefined>) {
    Object.assign(page, { transfer: decodeURIComponent(query.id ?? ''), receipt: '', isOpen: true })
    const { receipt } = texts()
    this.setData({ t: receipt, verdict: receipt.checking, steps: waitingSteps() })
    wx.setNavigationBarTitle({ title: receipt.title })
    void this.load()
  },

  onUnload() {
    page.isOpen = false
  },

  async load() {
    this.setData({ trouble: null })
    try {
      const transfer = (await fetchTransfers()).find(({ id }) => id === page.transfer)
      if (transfer !== undefined) this.setData({ transfer: viewOf(transfer) })
      const id = findReceipt(page.transfer)
      if (id === undefined) this.setData({ note: texts().receipt.elsewhere })
      else await this.check(id)
    } catch (error) {
      this.setData({ trouble: toUserFacingError(error) })
    }
  },

  /** @param id the log entry's */
  async check(id: string) {
    page.receipt = id
    let receipt = await fetchReceipt(id)
    for (let asked = 0; receipt.state === 'pending' && asked < patience.times && page.isOpen; asked += 1) {
      this.setData({ verdict: texts().receipt.pending })
      await wait(patience.pause)
      receipt = await fetchReceipt(id)
    }
    await this.show(receipt)
  },

  /** Everything is known already: it is shown in steps, so that people can follow. */
  async show(receipt: Receipt) {
    const { [receipt.state]: verdict } = texts().receipt
    const done = stepViews(receipt)
    for (let count = 1; count <= done.length; count += 1) {
      if (!page.isOpen) return
      this.setData({ steps: [...done.slice(0, count), ...waitingSteps().slice(count)] })
      await wait(stepPause)
    }
    this.setData({ verdict, proof: proofView(receipt) })
  },

  async onTrouble({ detail }: WechatMiniprogram.CustomEvent<{ action: UserFacingError['action'] }>) {
    if (detail.action === 'sign-in') await resetApp()
    await this.load()
  },

  copyId() {
    const { copied } = texts().common
    wx.setClipboardData({
      data: page.receipt,
      success: () => wx.showToast({ title: copied, icon: 'none' }),
    })
  },
})

function viewOf({ id, peer, amount, note, createdAt }: Transfer): TransferView {
  return { id, peer, amount, note, time: exactTime(createdAt) }
}

function waitingSteps(): readonly StepView[] {
  return stepNames.map((name) => stepView(name, 'pending'))
}

function stepViews({ steps, witnesses }: Receipt): readonly StepView[] {
  return steps.map(({ name, state }) => {
    const view = stepView(name, state)
    return name === 'witnesses' && witnesses.length > 0
      ? { ...view, detail: `${view.detail}: ${witnesses.join(', ')}` }
      : view
  })
}

function stepView(name: Receipt['steps'][number]['name'], state: StepView['state']): StepView {
  const marks = { ok: '✓', failed: '✕', pending: '·' }
  const { title, detail } = texts().receipt.steps[name]
  return { name, state, mark: marks[state], title, detail }
}

function proofView({ state, index, size }: Receipt): ProofView {
  const { rootLabel, leafLabel } = texts().receipt
  if (index === undefined || size === undefined) return { state, levels: null, rootLabel: '', leafLabel: '' }
  const levels = [...neighbourSides(index, size)].reverse().map((side, key) => ({ key, side }))
  const withNumber = (label: string, value: number): string => label.replace('{n}', String(value))
  return {
    state,
    levels,
    rootLabel: withNumber(rootLabel, size),
    leafLabel: withNumber(leafLabel, index + 1),
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
