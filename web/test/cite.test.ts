import { describe, expect, it } from 'vitest'
import type { ChatEvent } from '../src/api/chat'
import { chatEvent } from '../src/api/chat'
import * as rules from '../src/chat/conversation'
import { alsoFound, excerpt, headingBelow, shown, unsupported, withoutMarks, type Passage, type Sources } from '../src/chat/sources'
import type { Message } from '../src/chat/types'
import { hashOfLink, parsePlace, pathOf } from '../src/library/place'
import { cite, markSentences } from '../src/markdown/cite'
import { renderMarkdown } from '../src/markdown/render'
import { hashOf, parseRoute } from '../src/route'

const passage = (number: number, change: Partial<Passage> = {}): Passage => ({
  number,
  title: `Book ${number}`,
  heading: 'Boiling',
  page: 2,
  text: 'Boil the water.',
  collection: 'k-1',
  collection_name: 'Health',
  attribution: '',
  licence: 'CC0-1.0',
  language: 'en',
  href: `/library/d/d-${number}?v=3&from=120&to=480#cited`,
  ...change,
})
const words = { source: ({ number, title }: Passage): string => `Source ${number}: ${title}`, unsupported: 'not found' }
const passages = [passage(1), passage(2)]

function dom(html: string): HTMLElement {
  const root = document.createElement('div')
  root.innerHTML = html
  return root
}
const cited = (text: string): HTMLElement => dom(cite(renderMarkdown(text), passages, words))
const links = (root: HTMLElement): string[] => Array.from(root.querySelectorAll('a.cite')).map((one) => one.getAttribute('href')!)

describe('a citation', () => {
  it('is a link to the passage, with words for who hears it', () => {
    const root = cited('Boil it [1].')
    const link = root.querySelector('a.cite')!
    expect(link.getAttribute('href')).toBe('#/library/d/d-1?v=3&from=120&to=480')
    expect(link.getAttribute('aria-label')).toBe('Source 1: Book 1')
    expect(link.textContent).toBe('1')
    expect(root.textContent).toBe('Boil it\u00A01.\n'.trimEnd())
  })

  it.each([
    ['two in one', 'It is so [1, 2].', 2],
    ['a number that no passage has', 'It is so [3].', 0],
    ['one known and one unknown', 'It is so [1, 9].', 0],
    ['code', 'Write `a[1]`.', 0],
    ['a link of the answer', '[a[1]](https://example.org)', 0],
    ['an image’s words', '![1](x)', 0],
  ])('in %s', (_, text, count) => expect(links(cited(text))).toHaveLength(count))

  it('cannot carry what the title says into the page', () => {
    const evil = passage(1, { title: '"><img src=x onerror=alert(1)>', href: 'javascript:alert(1)' })
    const root = dom(cite(renderMarkdown('So [1].'), [evil], words))
    expect(root.querySelector('img')).toBeNull()
    expect(root.querySelector('a')!.getAttribute('aria-label')).toContain('<img')
  })
})

describe('a sentence that a passage supports', () => {
  const numbered = (text: string, by: number[]): string => markSentences(text, [{ start: 0, end: text.length, support: 'supported', by }])
  it.each([
    ['Boil it.', [1], 'Boil it [1].'],
    ['Boil it', [1, 2], 'Boil it [1, 2]'],
    ['**Boil it.**', [1], '**Boil it [1].**'],
    ['هل تغليه؟', [1], 'هل تغليه [1]؟'],
    ['Boil it [2].', [1], 'Boil it [2].'],
    ['Boil it.', [], 'Boil it.'],
  ] as [string, number[], string][])('%j by %j is %j', (text, by, expected) => expect(numbered(text, by)).toBe(expected))

  it('is a link like those that the model set', () => {
    const text = 'Boil it. The moon helps.'
    const checked = [
      { start: 0, end: 8, support: 'supported' as const, by: [2] },
      { start: 9, end: 24, support: 'weak' as const, by: [1] },
    ]
    expect(links(cited(markSentences(text, checked)))).toEqual(['#/library/d/d-2?v=3&from=120&to=480'])
  })
})

describe('a sentence that nothing supports', () => {
  const marked = (text: string, ...sentences: string[]): HTMLElement => {
    const places = sentences.map((one) => ({ start: text.indexOf(one), end: text.indexOf(one) + one.length, support: 'unsupported' as const, by: [] }))
    return dom(cite(renderMarkdown(markSentences(text, places)), passages, words))
  }
  const underlined = (root: HTMLElement): string => Array.from(root.querySelectorAll('.unsupported')).map((one) => one.textContent).join('|')

  it('is marked for the eye and for the ear', () => {
    const root = marked('Boil it [1]. The moon helps.', 'The moon helps.')
    expect(underlined(root)).toBe('The moon helps.')
    expect(root.querySelector('.visually-hidden')!.textContent).toBe(' (not found)')
    expect(links(root)).toHaveLength(1)
  })

  it.each([
    ['a list', '- Boil it.\n- The moon helps.', '- The moon helps.', 'li'],
    ['a numbered list', '1. Boil it.\n2. The moon helps.', '2. The moon helps.', 'li'],
    ['a heading', '# The moon helps.', '# The moon helps.', 'h1'],
    ['a quote', '> The moon helps.', '> The moon helps.', 'blockquote'],
  ])('in %s leaves it one', (_, text, sentence, tag) => {
    const root = marked(text, sentence)
    expect(underlined(root)).toBe('The moon helps.')
    expect(Array.from(root.querySelectorAll(tag)).pop()!.textContent).toContain('The moon helps.')
  })

  it('with bold words, over two lines, and of other letters than Latin', () => {
    const text = 'Yes. The **moon\nhelps** us.\nالقمر يساعد.'
    const root = marked(text, 'The **moon\nhelps** us.', 'القمر يساعد.')
    expect(underlined(root).replace(/\s/g, '')).toBe('The|moon|helps|us.|القمريساعد.')
  })

  it('cannot be faked by letters in the answer', () => {
    const root = dom(cite(renderMarkdown(markSentences('a \uE000b\uE001 c', [])), passages, words))
    expect(root.querySelector('.unsupported')).toBeNull()
  })

  it('with places that make no sense changes nothing', () => {
    const text = 'abc'
    for (const [start, end] of [[2, 1], [0, 9], [-1, 0], [3, 3]] as const) expect(markSentences(text, [{ start, end, support: 'unsupported', by: [] }])).toBe(text)
  })
})

describe('what an answer rests on', () => {
  const found: ChatEvent = { type: 'passages', covered: true, passages }
  const answer = (): Message => ({ id: 'a', role: 'assistant', text: '', at: 0, state: 'writing' })
  const checked: ChatEvent = {
    type: 'cites',
    cited: [2],
    sentences: [
      { start: 0, end: 3, support: 'supported', by: [2] },
      { start: 4, end: 8, support: 'unsupported', by: [] },
    ],
  }

  it('is there before the first word, and afterwards only what is cited', () => {
    const message = answer()
    rules.receive(message, found, 0)
    expect(message.text).toBe('')
    expect(shown(message.sources!).map(({ number }) => number)).toEqual([1, 2])
    rules.receive(message, { type: 'token', text: 'Yes [2]. No.' }, 0)
    rules.receive(message, checked, 0)
    rules.receive(message, { type: 'done', finish_reason: 'stop' }, 0)
    expect(shown(message.sources!).map(({ number }) => number)).toEqual([2])
    expect(alsoFound(message.sources!).map(({ number }) => number)).toEqual([1])
    expect(unsupported(message.sources!)).toHaveLength(1)
  })

  it('is nothing once the box withdrew the answer', () => {
    const message = answer()
    rules.receive(message, found, 0)
    rules.receive(message, { type: 'replaced', text: 'no' }, 0)
    rules.receive(message, checked, 0)
    expect(message.sources).toBeUndefined()
  })

  it('loses a passage that was withdrawn while it was written', () => {
    const message = answer()
    rules.receive(message, found, 0)
    rules.receive(message, { ...checked, withdrawn: [1] } as ChatEvent, 0)
    expect(message.sources!.passages.map(({ number }) => number)).toEqual([2])
  })

  it('is said once where the library has nothing: no sentence is marked, no weak passage stands above', () => {
    const sources: Sources = { covered: false, passages, sentences: (checked as Extract<ChatEvent, { type: 'cites' }>).sentences }
    expect(shown(sources)).toEqual([])
    expect(unsupported(sources)).toEqual([])
    expect(alsoFound(sources)).toHaveLength(2)
  })

  it('is not sent back to the model as numbers without meaning', () => {
    const conversation = rules.newConversation('c', 0)
    const message = rules.ask(conversation, 'How?', () => 'x', 0)
    for (const event of [found, { type: 'token', text: 'Boil it [1]. Cool it [1, 2]. See a[7].' }, checked, { type: 'done', finish_reason: 'stop' }] as ChatEvent[]) {
      rules.receive(message, event, 0)
    }
    rules.ask(conversation, 'And then?', () => 'y', 0)
    expect(rules.turns(conversation)[1]!.content).toBe('Boil it. Cool it. See a.')
    expect(withoutMarks('no marks')).toBe('no marks')
  })

  it('comes over the wire only whole', () => {
    expect(chatEvent(JSON.stringify(found))).toMatchObject({ type: 'passages' })
    expect(chatEvent('{"type":"passages"}')).toBeNull()
    expect(chatEvent('{"type":"cites","cited":[1]}')).toBeNull()
  })
})

describe('a card', () => {
  it.each([
    ['The essentials: D', 'The essentials: D › Drinking water', 'Drinking water'],
    ['Water', 'Water', ''],
    ['Water', 'Boiling › Pots', 'Boiling › Pots'],
  ])('of %s under %j says %j', (title, heading, words) => expect(headingBelow(title, heading)).toBe(words))

  it.each([
    ['The well is deep. Grease the bearing every four weeks. Keep it shut.', 'How often is the bearing greased?', '… Grease the bearing'],
    ['Grease the bearing. The well is deep.', 'Bearings?', 'Grease the bearing'],
    ['The well is deep.', 'What is the moon?', 'The well'],
    ['البئر عميقة. شحّم المحمل كل أربعة أسابيع.', 'متى يُشحّم المحمل؟', '… شحّم المحمل'],
    ['', 'x', ''],
  ])('%j begins where %j is answered', (text, question, start) => expect(excerpt(text, question).startsWith(start)).toBe(true))
})

describe('places in the library', () => {
  it.each([
    '#/library',
    '#/library?q=safe+water',
    '#/library/c/k-0123456789',
    '#/library/d/d-0123456789',
    '#/library/d/d-0123456789?v=3&from=120&to=480',
    '#/library/d/d-0123456789/versions',
    '#/library/z/z-0123456789?path=A%2FSafe+water&from=1&to=2',
    '#/library/add?collection=k-0123456789',
    '#/library/shelf',
    '#/library/shelf/k-0123456789',
    '#/library/review',
    '#/library/mine',
    '#/questions',
    '#/questions/12',
    '#/questions/unanswered',
  ])('%s is there and back', (hash) => expect(hashOf(parseRoute(hash))).toBe(hash))

  it.each([
    ['/library/d/d-1?v=3&from=120&to=480#cited', '#/library/d/d-1?v=3&from=120&to=480'],
    ['/library/z/z-1/A/Safe%20water?from=1&to=2#cited', '#/library/z/z-1?path=A%2FSafe+water&from=1&to=2'],
    ['/library', '#/library'],
    ['https://example.org/library', 'https://example.org/library'],
    ['/library/z/z-1/%E0%A4%A', '/library/z/z-1/%E0%A4%A'],
  ])('the box’s link %s is %s in the app', (href, hash) => expect(hashOfLink(href)).toBe(hash))

  it('what is put into an address does not become a sentence in the page', () => {
    expect(parsePlace('/library/d/Your box is broken', '')).toEqual({ view: 'library', param: null, more: {} })
    expect(parsePlace('/library/d/d-1', 'v=x&from=-1&collection=a b')?.more).toEqual({})
    expect(parsePlace('/elsewhere', '')).toBeNull()
    expect(pathOf({ view: 'library', param: null, more: {} })).toBe('#/library')
  })
})
