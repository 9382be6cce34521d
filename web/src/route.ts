// Where in the app the member is, kept after the `#`: the portal has its own pages at every path, and the back
// button works without the server knowing.

import { reactive, readonly } from 'vue'

export type View = 'chat' | 'status' | 'about'

export interface Route {
  view: View
  /** The conversation that is open; null for a new one. */
  conversation: string | null
}

export function parseRoute(hash: string): Route {
  const [, first = '', second = ''] = hash.replace(/^#/, '').split('/')
  if (first === 'c' && /^[0-9a-f]{1,64}$/.test(second)) return { view: 'chat', conversation: second }
  if (first === 'status' || first === 'about') return { view: first, conversation: null }
  return { view: 'chat', conversation: null }
}

export function hashOf(route: Route): string {
  if (route.view !== 'chat') return `#/${route.view}`
  return route.conversation ? `#/c/${route.conversation}` : '#/'
}

const current = reactive<Route>(parseRoute(location.hash))
export const route = readonly(current)

export function watchRoute(): void {
  window.addEventListener('hashchange', () => Object.assign(current, parseRoute(location.hash)))
}

export function go(to: Route, replace = false): void {
  const hash = hashOf(to)
  if (replace) history.replaceState(null, '', hash)
  else if (location.hash !== hash) history.pushState(null, '', hash)
  Object.assign(current, to)
}
