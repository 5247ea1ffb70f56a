/** The mini program whose requests are measured. Production refuses the sandbox's own. */
export const app = { appid: 'wx00000000000000be', secret: 'secret-of-the-benchmark' }
