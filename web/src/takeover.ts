// The step from the server's page to the app: what the member has typed, and where the cursor stands, come along.

import { nameCommunity } from './community/name'
import { parseTurns, type Turn } from './history/turns'
import { draft } from './storage'

export interface ServerPage {
  main: HTMLElement
  /** What was already said on the plain page (it carries it in its form). */
  turns(): Turn[]
}

export function findServerPage(): ServerPage | null {
  const main = document.getElementById('app')
  if (!main) return null
  nameCommunity(main.dataset.community)
  return { main, turns: () => parseTurns(main.querySelector<HTMLInputElement>('[name="history"]')?.value ?? '') }
}

export function takeOver(page: ServerPage, conversation: string | null, mount: (root: HTMLElement) => void): void {
  const { main } = page
  // On the plain page of an answer the address is the form's, and a language in it is chosen by now: the app's own
  // is the front page.
  if (location.pathname !== '/' || location.search !== '') history.replaceState(null, '', `/${location.hash}`)

  const field = main.querySelector<HTMLTextAreaElement>('textarea[name="question"], input[name="question"]')
  const typed = field?.value ?? ''
  const focused = field !== null && document.activeElement === field
  const cursor: [number, number] = [field?.selectionStart ?? typed.length, field?.selectionEnd ?? typed.length]
  if (typed.trim() !== '') draft.write(conversation, typed)

  const root = document.createElement('div')
  root.id = 'app'
  root.className = 'app'
  mount(root)

  main.replaceWith(root)
  for (const rest of Array.from(document.body.children)) {
    if (rest !== root && rest.tagName !== 'SCRIPT') rest.remove()
  }

  if (focused) {
    const mine = root.querySelector<HTMLTextAreaElement>('textarea[name="question"]')
    mine?.focus()
    mine?.setSelectionRange(...cursor)
  }
}
