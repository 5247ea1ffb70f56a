import type { Receipt } from 'miniseal-client'
import { exactTime } from '../../i18n/dates'
import { texts } from '../../i18n/language'
import { resetApp } from '../../services/devices'
import type { UserFacingError } from '../../services/errors'
import { toUserFacingError } from '../../services/errors'
import { fetchReceipt, findReceipt } from '../../services/receipts'
import type { Transfer } from '../../services/wallet'
import { fetchTransfers } from '../../services/wallet'
import { siblingSides } from './audit-path'

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
  /** From the root down; `null` until the entry is included. */
  readonly levels: readonly { readonly key: number; readonly side: 'left' | 'right' }[] | null
  readonly rootLabel: string
  readonly leafLabel: string
}

/** In the order of verification. */
const stepNames = ['leaf', 'contents', 'checkpoint', 'inclusion'] as const

/** Delay between the steps of the animation, in milliseconds. */
const stepPause = 260

/** Polling until the entry is included. */
const polling = { attempts: 10, intervalMs: 2_000 }

const page = { transfer: '', receipt: '', isOpen: false }

Page({
  data: {
    t: texts().receipt,
    transfer: null as TransferView | null,
    steps: [] as readonly StepView[],
    proof: null as ProofView | null,
    verdict: '',
    /** Shown in place of the proof. */
    note: '',
    error: null as UserFacingError | null,
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
    this.setData({ error: null })
    try {
      const transfer = (await fetchTransfers()).find(({ id }) => id === page.transfer)
      if (transfer !== undefined) this.setData({ transfer: viewOf(transfer) })
      const id = findReceipt(page.transfer)
      if (id === undefined) this.setData({ note: texts().receipt.elsewhere })
      else await this.check(id)
    } catch (error) {
      this.setData({ error: toUserFacingError(error) })
    }
  },

  /** @param id the log entry's */
  async check(id: string) {
    page.receipt = id
    let receipt = await fetchReceipt(id)
    for (
      let attempt = 0;
      receipt.state === 'pending' && attempt < polling.attempts && page.isOpen;
      attempt += 1
    ) {
      this.setData({ verdict: texts().receipt.pending })
      await wait(polling.intervalMs)
      receipt = await fetchReceipt(id)
    }
    await this.show(receipt)
  },

  /** Shows the results step by step. */
  async show(receipt: Receipt) {
    const { [receipt.state]: verdict } = texts().receipt
    const views = stepViews(receipt)
    for (let count = 1; count <= views.length; count += 1) {
      if (!page.isOpen) return
      this.setData({ steps: [...views.slice(0, count), ...waitingSteps().slice(count)] })
      await wait(stepPause)
    }
    this.setData({ verdict, proof: proofView(receipt) })
  },

  async onErrorAction({ detail }: WechatMiniprogram.CustomEvent<{ action: UserFacingError['action'] }>) {
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
  const levels = [...siblingSides(index, size)].reverse().map((side, key) => ({ key, side }))
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
