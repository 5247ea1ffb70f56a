/** One channel for all pages. The first request logs in. */
const { createChannel } = require('miniseal-client')

module.exports = createChannel({
  origin: 'http://127.0.0.1:8787',
  appid: 'wx0123456789abcdef',
  roots: ['ROOT_KEY'],
})
