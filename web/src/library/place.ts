// Places in the library: what stands behind the `#`, and how the box's own links become one. The plain pages have the
// same places at `/library…`; an answer's sources name those.

/** Pages of the library; each is loaded when it is visited for the first time. */
export const LIBRARY_VIEWS = [
  'library',
  'collection',
  'document',
  'versions',
  'article',
  'add',
  'shelf',
  'desk',
  'mine',
  'questions',
  'question',
  'unanswered',
] as const
export type LibraryView = (typeof LIBRARY_VIEWS)[number]

/** Where in a page: the passage, the version, what is looked for. */
export type More = Readonly<Record<string, string>>

export interface LibraryPlace {
  view: LibraryView
  /** Which collection, document, archive or question. */
  param: string | null
  more: More
}

/** A name that the box gave: whoever makes up an address must not put sentences into the page. */
const NAME = /^[\w-]{1,64}$/
const NUMBER = /^\d{1,15}$/
/** What may stand behind the question mark, on every page of the library. */
const MORE: Record<string, (value: string) => boolean> = {
  v: (value) => NUMBER.test(value),
  from: (value) => NUMBER.test(value),
  to: (value) => NUMBER.test(value),
  q: (value) => value.length <= 500,
  path: (value) => value.length <= 1_000,
  collection: (value) => NAME.test(value),
}

/** Views with a name in their path, by what stands before it. */
const PATHS: Record<string, LibraryView> = { c: 'collection', d: 'document', z: 'article' }
const ALONE: Record<string, LibraryView> = { add: 'add', shelf: 'shelf', review: 'desk', mine: 'mine' }

/** The place at a hash without its `#`, or null where it is none of the library's. */
export function parsePlace(path: string, query: string): LibraryPlace | null {
  const [, first = '', second = '', third = '', fourth = ''] = path.split('/')
  const more = moreOf(query)
  const found = (view: LibraryView, param: string | null = null): LibraryPlace => ({ view, param, more })
  if (first === 'questions') {
    if (second === 'unanswered') return found('unanswered')
    return NUMBER.test(second) ? found('question', second) : found('questions')
  }
  if (first !== 'library') return null
  if (second in PATHS && NAME.test(third)) {
    const view = PATHS[second]!
    return found(view === 'document' && fourth === 'versions' ? 'versions' : view, third)
  }
  if (second === 'shelf' && NAME.test(third)) return found('shelf', third)
  return found(ALONE[second] ?? 'library')
}

function moreOf(query: string): More {
  const more: Record<string, string> = {}
  for (const [key, value] of new URLSearchParams(query)) if (value !== '' && MORE[key]?.(value)) more[key] = value
  return more
}

export function pathOf({ view, param, more }: LibraryPlace): string {
  const query = new URLSearchParams(more).toString()
  return `#/${pathWithout(view, param)}${query ? `?${query}` : ''}`
}

function pathWithout(view: LibraryView, param: string | null): string {
  switch (view) {
    case 'library':
      return 'library'
    case 'collection':
      return `library/c/${param}`
    case 'document':
      return `library/d/${param}`
    case 'versions':
      return `library/d/${param}/versions`
    case 'article':
      return `library/z/${param}`
    case 'shelf':
      return param ? `library/shelf/${param}` : 'library/shelf'
    case 'desk':
      return 'library/review'
    case 'add':
    case 'mine':
      return `library/${view}`
    case 'questions':
      return 'questions'
    case 'question':
      return `questions/${param}`
    case 'unanswered':
      return 'questions/unanswered'
  }
}

/** The app's place for a link of the plain pages (`/library/d/…?v=3&from=120&to=480`); null for any other link. */
export function placeOfLink(href: string): LibraryPlace | null {
  const [before = '', query = ''] = href.replace(/#.*$/, '').split('?')
  const article = /^\/library\/z\/([\w-]{1,64})\/(.+)$/.exec(before)
  if (article) {
    const path = decoded(article[2]!)
    return path === null ? null : { view: 'article', param: article[1]!, more: { path, ...moreOf(query) } }
  }
  return before.startsWith('/library') ? parsePlace(before, query) : null
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** The address of a passage in the app; the box's own link where it is none that the app knows. */
export function hashOfLink(href: string): string {
  const place = placeOfLink(href)
  return place ? pathOf(place) : href
}
