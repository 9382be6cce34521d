// Citations in an answer: `[1]` becomes a link to the passage; a sentence that a passage supports without being named
// by the model gets its number; one that nothing supports is marked. Links and marks are put into the HTML that the
// renderer has made safe; what is added is built here, never taken from the answer.

import type { Passage, Sentence } from '../chat/sources'
import { hashOfLink } from '../library/place'

/** Private-use letters that stand for the beginning and the end of a marked sentence while markdown is rendered. */
const BEGIN = '\uE000'
const END = '\uE001'
const MARKS = /[\uE000\uE001]/g
/** What begins a line of markdown and is no part of its words: list items, quotes, headings. */
const LINE_START = /^(?:\s|>|#{1,6}\s|[-+*]\s|\d{1,9}[.)]\s)*/
const CITATION = /\[(\d{1,2}(?:\s?,\s?\d{1,2})*)\]/g

export interface CiteWords {
  /** What a screen reader says for a citation. */
  source: (passage: Passage) => string
  /** What it says behind a sentence that nothing supports. */
  unsupported: string
}

/** Where the words of a sentence end and its full stop begins, in the scripts of most languages. */
const STOP = /[.!?…。！？؟۔।]+["'”’»)\]*_]*$/

export type Checked = Pick<Sentence, 'start' | 'end' | 'support' | 'by'>

/** The text with the checked sentences marked, line by line, so that no mark changes what a line of markdown is. */
export function markSentences(text: string, sentences: readonly Checked[]): string {
  // The answer's own letters must not pass for marks; a replacement of the same length keeps every place.
  const safe = text.replace(MARKS, '\uFFFD')
  let out = ''
  let from = 0
  for (const { start, end, support, by } of [...sentences].sort((a, b) => a.start - b.start)) {
    if (start < from || end <= start || end > safe.length) continue
    const isLineStart = start === 0 || safe[start - 1] === '\n'
    const sentence = safe.slice(start, end)
    out += safe.slice(from, start)
    if (support === 'unsupported') out += marked(sentence, isLineStart)
    else out += support === 'supported' ? numbered(sentence, by) : sentence
    from = end
  }
  return out + safe.slice(from)
}

/** With the numbers of what supports it, unless the model named something itself. */
function numbered(sentence: string, by: readonly number[]): string {
  if (by.length === 0 || sentence.search(CITATION) >= 0) return sentence
  const words = sentence.trimEnd()
  const at = words.search(STOP)
  const end = at < 0 ? words.length : at
  return `${sentence.slice(0, end)} [${by.join(', ')}]${sentence.slice(end)}`
}

function marked(sentence: string, isLineStart: boolean): string {
  return sentence
    .split('\n')
    .map((line, at) => {
      const lead = at > 0 || isLineStart ? LINE_START.exec(line)![0] : /^\s*/.exec(line)![0]
      const words = line.slice(lead.length).trimEnd()
      if (words === '') return line
      return lead + BEGIN + words + END + line.slice(lead.length + words.length)
    })
    .join('\n')
}

/** Puts links and marks into HTML that is safe already, and gives HTML that is as safe. */
export function cite(html: string, passages: readonly Passage[], words: CiteWords): string {
  const template = document.createElement('template')
  template.innerHTML = html
  const { content } = template
  const texts: Text[] = []
  const walker = document.createTreeWalker(content, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) texts.push(walker.currentNode as Text)
  let open = false
  for (const text of texts) {
    const plain = text.parentElement?.closest('a, code, pre') != null
    const made = document.createDocumentFragment()
    for (const piece of text.data.split(/([\uE000\uE001])/)) {
      if (piece === BEGIN) open = true
      else if (piece === END) {
        if (open) made.append(hidden(words.unsupported))
        open = false
      } else if (piece !== '') made.append(wrapped(plain ? [piece] : linked(piece, passages, words), open))
    }
    text.replaceWith(made)
  }
  return template.innerHTML
}

function linked(text: string, passages: readonly Passage[], words: CiteWords): (string | Node)[] {
  const parts: (string | Node)[] = []
  let from = 0
  for (const found of text.matchAll(CITATION)) {
    const cited = found[1]!.split(',').map((number) => passages.find((one) => one.number === Number(number)))
    // A number that no passage has is not a citation.
    if (cited.some((one) => one === undefined)) continue
    parts.push(text.slice(from, found.index).replace(/ $/, '\u00A0'))
    for (const one of cited) parts.push(link(one!, words))
    from = found.index + found[0].length
  }
  parts.push(text.slice(from))
  return parts.filter((part) => part !== '')
}

function link(passage: Passage, words: CiteWords): HTMLAnchorElement {
  const anchor = document.createElement('a')
  anchor.className = 'cite'
  anchor.href = hashOfLink(passage.href)
  anchor.setAttribute('aria-label', words.source(passage))
  anchor.dataset.test = 'cite'
  anchor.textContent = String(passage.number)
  return anchor
}

function wrapped(parts: (string | Node)[], marked: boolean): DocumentFragment {
  const made = document.createDocumentFragment()
  if (!marked) {
    made.append(...parts)
    return made
  }
  const span = document.createElement('span')
  span.className = 'unsupported'
  span.append(...parts)
  made.append(span)
  return made
}

function hidden(words: string): HTMLSpanElement {
  const span = document.createElement('span')
  span.className = 'visually-hidden'
  span.textContent = ` (${words})`
  return span
}
