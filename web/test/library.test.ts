import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, defineComponent, h, nextTick, ref, type App } from 'vue'
import { ApiFailure } from '../src/community/api'
import { setMe } from '../src/community/me'
import LibraryNav from '../src/components/library/LibraryNav.vue'
import ReadingText from '../src/components/library/ReadingText.vue'
import SearchBox from '../src/components/library/SearchBox.vue'
import ShelfStanding from '../src/components/library/ShelfStanding.vue'
import { loadCommunityWords, loadLibraryWords, setLanguage } from '../src/i18n'
import type { Block, Shelf, Upload } from '../src/library/api'
import { grouped, pieces } from '../src/library/marks'
import { findEarlier, offer, onTheirWay, putAway, sendAgain, type Door } from '../src/library/uploads'
import { allows, consentWords, standing } from '../src/library/words'
import { visit } from '../src/route'
import DeskView from '../src/views/library/DeskView.vue'
import ShelfView from '../src/views/library/ShelfView.vue'
import { answering, me, view, type Asked } from './community'

beforeAll(async () => {
  await setLanguage('en')
  await loadCommunityWords()
  await loadLibraryWords()
})

let app: App | null = null
beforeEach(() => {
  document.body.innerHTML = '<div id="root"></div>'
  setMe(me())
})
afterEach(() => {
  app?.unmount()
  app = null
  vi.unstubAllGlobals()
  vi.useRealTimers()
  for (const { key } of [...onTheirWay]) putAway(key)
})

function stub(answers: Record<string, unknown>): Asked[] {
  const { asked, fetcher } = answering(answers)
  vi.stubGlobal('fetch', fetcher)
  return asked
}
const find = <T extends HTMLElement>(name: string): T | null => document.querySelector<T>(`[data-test="${name}"]`)
const mount = (component: Parameters<typeof createApp>[0], props: Record<string, unknown> = {}): void => {
  app = createApp(component, props)
  app.mount('#root')
}

const shelf = (change: Partial<Shelf> = {}): Shelf => ({
  id: 'k-0123456789',
  name: 'First aid',
  about: '',
  audience: 'guests',
  consent: { uses: ['search', 'grounding'], level: 'local_only' },
  licence: 'CC-BY-4.0',
  language: null,
  review: true,
  documents: 3,
  created: 0,
  grounds: true,
  ...change,
})

describe('consent', () => {
  it('allows a use that was agreed to, but never farther than the text may go', () => {
    const uses = ['search', 'federation', 'commons'] as const
    expect(allows({ uses: [...uses], level: 'local_only' }, 'federation')).toBe(false)
    expect(allows({ uses: [...uses], level: 'federation_ok' }, 'federation')).toBe(true)
    expect(allows({ uses: [...uses], level: 'federation_ok' }, 'commons')).toBe(false)
    expect(allows({ uses: [...uses], level: 'commons_ok' }, 'grounding')).toBe(false)
  })

  it('is said in plain words, both ways', () => {
    const { allowed, not } = consentWords({ uses: ['search', 'federation'], level: 'local_only' })
    expect(allowed).toEqual(['be found and read here'])
    expect(not).toContain('be given to neighbour communities')
    expect(allowed.length + not.length).toBe(5)
  })

  it('and approval are two things', () => {
    expect(standing(shelf())).toBe('answers')
    expect(standing(shelf({ grounds: false }))).toBe('not_approved')
    expect(standing(shelf({ grounds: false, consent: { uses: ['search'], level: 'commons_ok' } }))).toBe('not_agreed')
  })
})

describe('a collection that is not approved', () => {
  it('can be proposed to the Assembly by a member', async () => {
    const asked = stub({ 'POST proposals': view({ name: 'consent' }) })
    mount(ShelfStanding, { shelf: shelf({ grounds: false }) })
    find<HTMLButtonElement>('propose-source')!.click()
    await nextTick()
    find<HTMLButtonElement>('propose-send')!.closest('form')!.dispatchEvent(new Event('submit'))
    await vi.waitFor(() => expect(asked).toHaveLength(1))
    expect(asked[0]?.body).toMatchObject({
      title: 'Answers may rest on “First aid”',
      options: [{ decision: { type: 'approve_source', source: 'k-0123456789', use: 'grounding' } }],
    })
  })

  it('is only told to a guest', () => {
    setMe(me({ member: null }))
    mount(ShelfStanding, { shelf: shelf({ grounds: false }) })
    expect(find('not-approved')).not.toBeNull()
    expect(find('propose-source')).toBeNull()
  })
})

describe('the pages of the library', () => {
  const places = (): string[] => Array.from(document.querySelectorAll('.place')).map((one) => one.textContent!.trim())
  it('are few for a guest, and the desk is the librarians’', () => {
    setMe(me({ member: null }))
    mount(LibraryNav)
    expect(places()).toEqual(['Library', 'Ask the members'])
    app!.unmount()
    document.body.innerHTML = '<div id="root"></div>'
    setMe(me({ member: { id: 'm-0000000001', name: 'Baraka', roles: ['librarian'], permissions: ['ask', 'read', 'keep_library'] } }))
    mount(LibraryNav)
    expect(places()).toEqual(['Library', 'Ask the members', 'Give a document', 'What I gave', 'Review desk', 'What is missing'])
  })
})

describe('marked words', () => {
  it('are cut out of the text, and nothing of it is lost', () => {
    expect(pieces('boil the water', [[9, 14], [0, 4]])).toEqual([
      { text: 'boil', marked: true },
      { text: ' the ', marked: false },
      { text: 'water', marked: true },
    ])
  })

  it.each([
    [[[0, 4], [2, 6]], 'boil the water'],
    [[[5, 3]], 'boil the water'],
    [[[12, 99]], 'boil the water'],
    [[[99, 120]], 'boil the water'],
  ] as [[number, number][], string][])('ranges %j that overlap or lie outside do no harm', (ranges, text) => {
    expect(pieces(text, ranges).map((one) => one.text).join('')).toBe(text)
  })

  it('lists and tables stand together', () => {
    const kinds = grouped(['heading', 'item', 'item', 'paragraph', 'row', 'row', 'item'].map((kind) => ({ kind })))
    expect(kinds.map(({ kind, blocks }) => `${kind} ${blocks.length}`)).toEqual(['other 1', 'item 2', 'other 1', 'row 2', 'item 1'])
  })
})

describe('a document', () => {
  const block = (number: number, kind: Block['kind'], text: string, change: Partial<Block> = {}): Block => ({
    number,
    kind,
    level: kind === 'heading' ? 1 : null,
    text,
    page: null,
    start: number * 100,
    end: number * 100 + text.length,
    start16: 0,
    end16: 0,
    ...change,
  })

  it('marks the cited passage over its blocks, and one place to go to', () => {
    const blocks = [block(0, 'heading', 'Water'), block(1, 'paragraph', 'Boil it. Let it cool.'), block(2, 'item', 'one minute')]
    const cited = [
      { block: 1, from16: 9, to16: 21 },
      { block: 2, from16: 0, to16: 10 },
    ]
    mount(ReadingText, { blocks, cited })
    expect(Array.from(document.querySelectorAll('mark')).map((one) => one.textContent)).toEqual(['Let it cool.', 'one minute'])
    expect(document.querySelectorAll('#cited')).toHaveLength(1)
    expect(document.getElementById('cited')!.textContent).toBe('Let it cool.')
    expect(document.getElementById('cited')!.tabIndex).toBe(-1)
  })

  it('keeps its headings, lists, tables and pages', () => {
    const blocks = [
      block(0, 'heading', 'Water', { page: 1 }),
      block(1, 'item', 'a', { page: 1 }),
      block(2, 'item', 'b', { page: 2 }),
      block(3, 'row', 'x | y', { page: 3 }),
      block(4, 'heading', 'Deep', { level: 9, page: 3 }),
    ]
    mount(ReadingText, { blocks, cited: [] })
    expect(document.querySelector('h2')!.id).toBe('at-0')
    expect(document.querySelectorAll('ul li')).toHaveLength(2)
    expect(Array.from(document.querySelectorAll('td')).map((one) => one.textContent)).toEqual(['x', 'y'])
    expect(Array.from(document.querySelectorAll('.page-mark')).map((one) => one.textContent)).toEqual(['page 1', 'page 3'])
    expect(document.querySelector('h6')!.textContent!.trim()).toBe('Deep')
  })
})

describe('looking', () => {
  const hit = (title: string): object => ({
    place: { kind: 'document', passage: 1, document: 'd-1', version: 1, start: 0, end: 4 },
    title,
    heading: 'Boiling',
    page: 2,
    text: 'Boil water',
    collection: 'k-1',
    collection_name: 'Health',
    marks: [[0, 4]],
    href: '/library/d/d-1?v=1&from=0&to=4#cited',
    score: 1,
  })

  it('waits until the typing pauses, and shows only what was asked last', async () => {
    vi.useFakeTimers()
    const asked = stub({ 'library/search?q=water&limit=20': { hits: [hit('Water')], how: 'words' } })
    const words = ref('')
    mount(defineComponent(() => () => h(SearchBox, { modelValue: words.value, 'onUpdate:modelValue': (now: string | undefined) => (words.value = now ?? '') })))
    const field = find<HTMLInputElement>('search')!
    for (const typed of ['w', 'wat', 'water']) {
      field.value = typed
      field.dispatchEvent(new Event('input'))
      await nextTick()
      vi.advanceTimersByTime(100)
    }
    expect(asked).toEqual([])
    vi.advanceTimersByTime(300)
    vi.useRealTimers()
    await vi.waitFor(() => expect(find('hit')).not.toBeNull())
    expect(asked).toHaveLength(1)
    const link = find<HTMLAnchorElement>('hit')!
    expect(link.getAttribute('href')).toBe('#/library/d/d-1?v=1&from=0&to=4')
    expect(link.textContent).toContain('Water › Boiling')
    expect(link.querySelector('mark')!.textContent).toBe('Boil')
  })

  it('says so when nothing is found, and why when the box says no', async () => {
    stub({ 'library/search?q=x&limit=20': { hits: [], how: 'words' } })
    mount(SearchBox, { modelValue: 'x' })
    await vi.waitFor(() => expect(find('nothing-found')).not.toBeNull())
    app!.unmount()
    document.body.innerHTML = '<div id="root"></div>'
    stub({ 'library/search?q=x&limit=20': [429, 'too_often'] })
    mount(SearchBox, { modelValue: 'x' })
    await vi.waitFor(() => expect(find('form-error')!.textContent).toContain('too often'))
  })
})

describe('the review desk', () => {
  const waiting = {
    document: { id: 'd-1', title: 'Meeting in May', collection: 'k-1', collection_name: 'Minutes' },
    version: { number: 2, at: 0, by: 'm-1', by_name: 'Baraka', why: 'It was July.', state: 'waiting', file_name: 'may.md', has_original: true, warnings: [] },
    replaces: 1,
  }
  const librarian = me({ member: { id: 'm-0000000001', name: 'Amina', roles: ['librarian'], permissions: ['ask', 'read', 'keep_library'] } })

  it('accepts with one tap, and refuses only with a reason', async () => {
    setMe(librarian)
    const asked = stub({ 'library/review': [waiting], 'POST library/review/d-1/2': null })
    mount(DeskView)
    await vi.waitFor(() => expect(find('waiting')).not.toBeNull())
    find<HTMLButtonElement>('desk-refuse')!.click()
    await nextTick()
    expect(find<HTMLButtonElement>('desk-refuse-send')!.disabled).toBe(true)
    const why = find<HTMLInputElement>('desk-why')!
    why.value = ' It is about June. '
    why.dispatchEvent(new Event('input'))
    await nextTick()
    why.closest('form')!.dispatchEvent(new Event('submit'))
    await vi.waitFor(() => expect(asked.at(-1)?.path).toBe('library/review'))
    expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({ accept: false, why: 'It is about June.' })
    await vi.waitFor(() => expect(find<HTMLButtonElement>('desk-accept')!.disabled).toBe(false))
    find<HTMLButtonElement>('desk-accept')!.click()
    await vi.waitFor(() => expect(asked.filter(({ method }) => method === 'POST')).toHaveLength(2))
    expect(asked.filter(({ method }) => method === 'POST')[1]?.body).toEqual({ accept: true, why: '' })
  })

  it('is closed to others, who are not even asked for', () => {
    const asked = stub({})
    mount(DeskView)
    expect(find('desk-page')!.textContent).toContain('Librarians look at what members give')
    expect(asked).toEqual([])
  })
})

describe('a new collection', () => {
  it('is made with what was agreed to, and nothing else', async () => {
    setMe(me({ member: { id: 'm-0000000001', name: 'Amina', roles: ['librarian'], permissions: ['ask', 'read', 'keep_library'] } }))
    const asked = stub({
      'GET library/collections': { collections: [], archives: [], may_offer: true, may_keep: true, max_upload_bytes: 1, endings: [] },
      'POST library/collections': shelf(),
    })
    visit('shelf')
    mount(ShelfView)
    await vi.waitFor(() => expect(find('shelf-name')).not.toBeNull())
    for (const [name, value] of [['shelf-name', ' Minutes '], ['shelf-licence', 'CC-BY-4.0']] as const) {
      const field = find<HTMLInputElement>(name)!
      field.value = value
      field.dispatchEvent(new Event('input'))
    }
    await nextTick()
    find('shelf-save')!.closest('form')!.dispatchEvent(new Event('submit'))
    await vi.waitFor(() => expect(asked.find(({ method }) => method === 'POST')).toBeDefined())
    expect(asked.find(({ method }) => method === 'POST')!.body).toEqual({
      name: 'Minutes',
      about: '',
      audience: 'members',
      consent: { uses: ['search', 'grounding'], level: 'local_only' },
      licence: 'CC-BY-4.0',
      language: null,
      review: true,
    })
  })
})

describe('a file on its way', () => {
  const file = (name: string): File => new File(['words'], name)
  const target = { collection: 'k-1' }
  const upload = (state: Upload['state'], change: Partial<Upload> = {}): Upload => ({
    id: 'u-1',
    name: 'a.pdf',
    state,
    progress: 0,
    ahead: 0,
    began: 0,
    document: null,
    waiting: false,
    reason: null,
    warnings: [],
    ...change,
  })
  /** A box that says these things one after the other; the last for ever. */
  function door(looks: (Upload | Error)[], sends: (string | Error)[] = ['u-1']): Door & { sent: string[]; states: string[] } {
    const sent: string[] = []
    const states: string[] = []
    return {
      sent,
      states,
      send: (path, _, progress) => {
        sent.push(path)
        progress(40)
        states.push(`${onTheirWay[0]!.state} ${onTheirWay[0]!.progress}`)
        const next = sends.length > 1 ? sends.shift()! : sends[0]!
        return next instanceof Error ? Promise.reject(next) : Promise.resolve(next)
      },
      look: () => {
        const next = looks.length > 1 ? looks.shift()! : looks[0]!
        return next instanceof Error ? Promise.reject(next) : Promise.resolve(next)
      },
      pause: () => {
        states.push(onTheirWay[0]!.state)
        return Promise.resolve()
      },
    }
  }
  const settled = (state: string): Promise<void> => vi.waitFor(() => expect(onTheirWay[0]?.state).toBe(state))

  it('is sent, waits, is read, and is a document that a librarian looks at', async () => {
    const box = door([upload('queued', { ahead: 2 }), upload('reading', { progress: 50 }), upload('done', { document: 'd-1', waiting: true })])
    offer([file('a.pdf')], target, box)
    await settled('done')
    expect(box.sent).toEqual(['library/documents?name=a.pdf&collection=k-1'])
    expect(box.states).toEqual(['sending 40', 'queued', 'queued', 'reading'])
    expect(onTheirWay[0]).toMatchObject({ key: 'u-1', document: 'd-1', review: true })
  })

  it('that the box cannot read says why', async () => {
    offer([file('bomb.zip')], target, door([upload('refused', { reason: 'It unpacks to more than 1 GB.' })]))
    await settled('refused')
    expect(onTheirWay[0]!.reason).toBe('It unpacks to more than 1 GB.')
  })

  it('that the box does not take is refused at once, one that did not get through can be sent again', async () => {
    offer([file('a.pdf')], target, door([upload('queued')], [new ApiFailure('too_large', '', 413)]))
    await settled('refused')
    expect(onTheirWay[0]!.reason).toBe('This file is too large for the box.')
    putAway(onTheirWay[0]!.key)

    const box = door([upload('done', { document: 'd-1' })], [new ApiFailure('unreachable', '', 0), 'u-1'])
    offer([file('a.pdf')], target, box)
    await settled('failed')
    sendAgain(onTheirWay[0]!.key, box)
    await settled('done')
    expect(box.sent).toHaveLength(2)
  })

  it('goes on when the box is away for a while, and is lost when the box has forgotten it', async () => {
    const away = new ApiFailure('unreachable', '', 0)
    offer([file('a.pdf')], target, door([away, away, upload('done', { document: 'd-1' })]))
    await settled('done')
    putAway('u-1')
    offer([file('a.pdf')], target, door([new ApiFailure('not_found', '', 404)]))
    await settled('failed')
  })

  it('goes one after the other', async () => {
    const order: string[] = []
    let release: (id: string) => void = () => undefined
    const box: Door = {
      send: (path) => {
        order.push(path)
        return new Promise((resolve) => (release = resolve))
      },
      look: (id) => Promise.resolve(upload('done', { id })),
      pause: () => Promise.resolve(),
    }
    offer([file('a.pdf'), file('b.pdf')], target, box)
    await vi.waitFor(() => expect(order).toHaveLength(1))
    expect(order[0]).toContain('a.pdf')
    release('u-a')
    await vi.waitFor(() => expect(order).toHaveLength(2))
    expect(order[1]).toContain('b.pdf')
    release('u-b')
    await vi.waitFor(() => expect(onTheirWay.every(({ state }) => state === 'done')).toBe(true))
  })

  it('of before is found again after a reload, once', async () => {
    const earlier = [upload('reading', { id: 'u-9', name: 'old.pdf' }), upload('arriving', { id: 'u-8' })]
    const box = door([upload('done', { id: 'u-9', document: 'd-9' })])
    await findEarlier(box, () => Promise.resolve(earlier))
    await findEarlier(box, () => Promise.resolve(earlier))
    await settled('done')
    expect(onTheirWay.map(({ name }) => name)).toEqual(['old.pdf'])
  })
})
