const channel = require('../../channel')

Page({
  data: { orders: [], message: '' },

  onLoad() {
    return this.refresh()
  },

  async refresh() {
    await this.run(async () => {
      const answer = await channel.request({ method: 'GET', path: '/orders' })
      this.setData({ orders: answer.json().orders })
    })
  },

  async order() {
    await this.run(async () => {
      await channel.request({ method: 'POST', path: '/orders', body: { item: 'tea', count: 1 } })
      await this.refresh()
    })
  },

  /** Shows the message of an error. All errors of the channel are ChannelErrors. */
  async run(action) {
    this.setData({ message: '' })
    try {
      await action()
    } catch (error) {
      this.setData({ message: error.text('zh-CN') })
    }
  },
})
