/** Pages of a mini program, as text: they run in engines that know nothing of this file. ES2018, JSON-safe results. */
export const pages = {
  transfer: `async (miniseal, settings) => {
    const channel = miniseal.createChannel(settings)
    const states = []
    channel.on('state', (state) => states.push(state))
    const session = await channel.login()
    const sessions = await channel.sessions()
    const devices = await channel.devices()
    const order = { payee: 'bob', amount: 250, currency: 'CNY', note: '早饭' }
    const done = await channel.request({ method: 'POST', path: '/wallet/transfers', body: order })
    const wallet = (await channel.request({ method: 'GET', path: '/wallet' })).json()
    let refusal
    try {
      await channel.request({ method: 'POST', path: '/wallet/transfers', body: {} })
    } catch (error) {
      refusal = { isTyped: error instanceof miniseal.ChannelError, code: error.code, text: error.text('zh-CN') }
    }
    const answer = Object.assign({}, done.json(), { status: done.status })
    return { session, sessions, devices, done: answer, balance: wallet.balance, refusal, states }
  }`,
  confirmed: `async (miniseal, settings) => {
    const channel = miniseal.createChannel(settings)
    const pay = (amount, more) => channel.request(Object.assign(
      { method: 'POST', path: '/wallet/transfers', body: { payee: 'bob', amount, currency: 'CNY' } }, more))
    const taps = await Promise.all([pay(100, { once: true }), pay(100, { once: true })])
    const unconfirmed = await pay(200000, {}).catch((error) => error.code)
    const large = await pay(200000, { confirm: true })
    const wallet = (await channel.request({ method: 'GET', path: '/wallet' })).json()
    return {
      ids: new Set(taps.map((answer) => answer.json().id)).size,
      statuses: [taps[0].status, taps[1].status, large.status],
      balance: wallet.balance,
      unconfirmed,
    }
  }`,
  receipt: `async (miniseal, settings) => {
    const channel = miniseal.createChannel(settings)
    const order = { payee: 'bob', amount: 250, currency: 'CNY' }
    const done = await channel.request({ method: 'POST', path: '/wallet/transfers', body: order })
    const receipt = await channel.receipt(done.receipt)
    return {
      state: receipt.state,
      steps: receipt.steps.map((step) => step.name + ' ' + step.state),
      type: receipt.entry.type,
      result: receipt.entry.result,
      groups: Object.keys(receipt.disclosures),
      isInLog: receipt.index < receipt.size,
    }
  }`,
  stored: `async (miniseal, settings) => {
    const ask = (channel) => channel.request({ method: 'GET', path: '/wallet', cache: 'storage' })
    const first = await ask(miniseal.createChannel(settings))
    const second = await ask(miniseal.createChannel(settings))
    return { status: first.status, again: second.status }
  }`,
  /** Says its user through a request, so that the host can push; ends with the event whose data says `last`. */
  events: `async (miniseal, settings) => {
    const channel = miniseal.createChannel(settings)
    const states = []
    channel.on('socket', (state) => states.push(state))
    const seen = []
    let handle
    await new Promise((resolve) => {
      handle = channel.events(0, (event) => {
        seen.push(event.sequence)
        if (event.data.last) resolve()
      })
    })
    const wallet = await channel.request({ method: 'GET', path: '/wallet' })
    handle.close()
    return { seen, states: states.slice(0, 2), status: wallet.status }
  }`,
} as const
