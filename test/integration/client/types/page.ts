/**
 * Compiled, never run: the client and WeChat's own typings agree, and a page in TypeScript can be written with both. With
 * these typings and ES2018 alone, any name of Node or of browsers would not compile.
 */
import type { Channel, Receipt } from '../../../../miniprogram/client/index.ts'
import {
  ChannelError,
  cloudTransport,
  createChannel,
  errorText,
} from '../../../../miniprogram/client/index.ts'
import type { WeChat, WeChatCloud } from '../../../../miniprogram/client/wx.ts'

/** What phones have is what the client asks for. */
export const weChat: WeChat = wx
export const cloud: WeChatCloud = wx.cloud

const channel: Channel = createChannel({
  origin: 'https://pay.example.com',
  appid: 'wx0123456789abcdef',
  roots: ['AAAA'],
  transport: cloudTransport({ env: 'prod-1', service: 'pay' }),
})

Page({
  data: { balance: 0, message: '', receipt: '' },
  async onPay() {
    try {
      const answer = await channel.request({
        method: 'POST',
        path: '/wallet/transfers',
        body: { payee: 'bob', amount: 1250, currency: 'CNY' },
        once: true,
        confirm: true,
      })
      const receipt: Receipt | undefined =
        answer.receipt === undefined ? undefined : await channel.receipt(answer.receipt)
      this.setData({ receipt: receipt?.state ?? '' })
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error
      this.setData({ message: errorText(error.code, 'zh-CN') })
    }
  },
  onLoad() {
    channel.events(0, ({ type, data }) => {
      if (type === 'transfer-received') this.setData({ balance: Number(data.balance) })
    })
    channel.on('state', (state) => this.setData({ message: state === 'offline' ? '当前没有网络' : '' }))
    channel.on('socket', (state) => console.log(state))
  },
})
