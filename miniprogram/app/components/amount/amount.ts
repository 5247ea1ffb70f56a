/** An amount of money with smaller decimals. */
import { fenParts, formatFen } from '../../money/fen'

Component({
  properties: {
    fen: { type: Number, value: 0 },
    /** `small`, `medium` or `large`. */
    size: { type: String, value: 'medium' },
    /** Shows a plus sign for positive amounts. */
    signed: { type: Boolean, value: false },
  },
  data: { sign: '', whole: '0', decimals: '00', label: '' },
  observers: {
    'fen, signed'(fen: number, signed: boolean) {
      const { sign, whole, decimals } = fenParts(fen)
      this.setData({ sign: signed && fen > 0 ? '+' : sign, whole, decimals, label: `${formatFen(fen)} CNY` })
    },
  },
})
