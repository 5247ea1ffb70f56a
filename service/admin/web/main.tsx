/** Entry point of the audit pages. */
import { render } from 'hono/jsx/dom'
import { App } from './app.tsx'

const root = document.getElementById('app')
if (root !== null) render(<App />, root)
