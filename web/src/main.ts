// Starts the app over the page that the portal wrote. That page works by itself; it is replaced in one step, and
// only once everything that the app needs is there. If anything fails before, the member keeps a working page.

import { createApp } from 'vue'
import App from './App.vue'
import { watchBox } from './box/status'
import { watchMe } from './community/me'
import { adopt, open, openSession } from './chat/session'
import { initialLanguage, rememberLanguage, setLanguage } from './i18n'
import { go, route, watchRoute } from './route'
import { findServerPage, takeOver } from './takeover'
import { loadStyles } from './styles/load'
import { restoreTheme } from './theme'

async function start(): Promise<void> {
  const page = findServerPage()
  if (!page) return
  restoreTheme()
  const [useStyles] = await Promise.all([loadStyles(), setLanguage(initialLanguage()), openSession()])
  watchRoute()
  const turns = page.turns()
  const adopted = turns.length > 0 ? await adopt(turns) : null
  if (adopted) go({ view: 'chat', conversation: adopted }, true)
  else if (!(await open(route.conversation))) go({ view: 'chat', conversation: null }, true)
  takeOver(page, route.conversation, (root) => createApp(App).mount(root))
  useStyles()
  watchBox()
  watchMe()
  void rememberLanguage()
}

start().catch((cause: unknown) => console.error('The app could not start; the plain page stays.', cause))
