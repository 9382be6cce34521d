// Where in the app the member is, kept after the `#`: the portal has its own pages at every path, and the back
// button works without the server knowing.

import { reactive, readonly } from 'vue'
import { LIBRARY_VIEWS, parsePlace, pathOf, type LibraryView, type More } from './library/place'

/** Pages of the community; each is loaded when it is visited for the first time. */
export const COMMUNITY_VIEWS = [
  'start',
  'join',
  'sign-in',
  'reset',
  'assembly',
  'new',
  'proposal',
  'policy',
  'roles',
  'people',
  'delegations',
  'ledger',
  'moderation',
  'cases',
] as const
export type CommunityView = (typeof COMMUNITY_VIEWS)[number]

export type View = 'chat' | 'status' | 'about' | CommunityView | LibraryView

export interface Route {
  view: View
  /** The conversation that is open; null for a new one. */
  conversation: string | null
  /** What the page is about: a code, the name of a proposal, the kind of a new one, the number of a ledger entry. */
  param?: string | null
  /** In the library: which version, from where to where, what is looked for. */
  more?: More | null
}

/** Views whose parameter stands behind a question mark, with its name there. */
const NAMED: Partial<Record<View, string>> = { start: 'code', join: 'code', reset: 'code', new: 'kind' }
/** A parameter is a short word: whoever makes up an address must not put sentences into the page. */
const PARAM = /^[\w-]{1,64}$/

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?')
  const [, first = '', second = ''] = path.split('/')
  if (first === 'c' && /^[0-9a-f]{1,64}$/.test(second)) return { view: 'chat', conversation: second }
  if (first === 'status' || first === 'about') return { view: first, conversation: null }
  const place = parsePlace(path, query)
  if (place) return { ...place, conversation: null }
  const view = first === 'p' ? 'proposal' : first === 'assembly' && second === 'new' ? 'new' : first
  if (!isCommunityView(view)) return { view: 'chat', conversation: null }
  const name = NAMED[view]
  const param = name ? (new URLSearchParams(query).get(name) ?? '') : view === 'proposal' || view === 'ledger' ? second : ''
  if (PARAM.test(param)) return { view, conversation: null, param }
  return { view: view === 'proposal' ? 'assembly' : view, conversation: null }
}

export function hashOf({ view, conversation, param, more }: Route): string {
  if (view === 'chat') return conversation ? `#/c/${conversation}` : '#/'
  if (isLibraryView(view)) return pathOf({ view, param: param ?? null, more: more ?? {} })
  const path = view === 'proposal' ? '#/p' : view === 'new' ? '#/assembly/new' : `#/${view}`
  if (!param) return path
  const name = NAMED[view]
  return name ? `${path}?${name}=${encodeURIComponent(param)}` : `${path}/${param}`
}

export function isCommunityView(view: string): view is CommunityView {
  return (COMMUNITY_VIEWS as readonly string[]).includes(view)
}

export function isLibraryView(view: string): view is LibraryView {
  return (LIBRARY_VIEWS as readonly string[]).includes(view)
}

const current = reactive<Route>(parseRoute(location.hash))
export const route = readonly(current)

function arrive(to: Route): void {
  Object.assign(current, { param: null, more: null, ...to })
}

/** Follows the address from now on, and to where it went while the app was still being fetched. */
export function watchRoute(): void {
  const follow = (): void => arrive(parseRoute(location.hash))
  window.addEventListener('hashchange', follow)
  follow()
}

export function go(to: Route, replace = false): void {
  const hash = hashOf(to)
  if (replace) history.replaceState(null, '', hash)
  else if (location.hash !== hash) history.pushState(null, '', hash)
  arrive(to)
}

/** Goes to a page that is no conversation. */
export function visit(view: View, param: string | null = null, replace = false, more: More = {}): void {
  go({ view, conversation: null, param, more }, replace)
}
