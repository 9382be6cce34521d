// What an answer rests on: the passages that the box found before the first word, and after the last one which of
// them were cited and which sentences nothing supports. Values in, values out.

import type { ChatEvent } from '../api/chat'

type Found = Extract<ChatEvent, { type: 'passages' }>
type Checked = Extract<ChatEvent, { type: 'cites' }>
/** A numbered passage. */
export type Passage = Found['passages'][number]
/** A sentence of the answer, by UTF-16 places in its text, and how well it is supported. */
export type Sentence = Checked['sentences'][number]

export interface Sources {
  /** Whether the library has anything on the question at all. */
  covered: boolean
  passages: Passage[]
  /** The numbers that the answer cites; absent until it is whole. */
  cited?: number[]
  sentences?: Sentence[]
}

export function sourcesOf({ covered, passages }: Found): Sources {
  return { covered, passages }
}

/** What was withdrawn while the answer was written is taken off the page, too. */
export function withCites(sources: Sources, { cited, sentences, withdrawn }: Checked): Sources {
  const passages = sources.passages.filter(({ number }) => !withdrawn?.includes(number))
  return { ...sources, passages, cited, sentences }
}

/** The passages that stand above the answer: all that the model reads; once it is whole, those that it cites. */
export function shown({ passages, cited, covered }: Sources): Passage[] {
  if (cited) return passages.filter(({ number }) => cited.includes(number))
  return covered ? passages : []
}

/** What was found too and is not cited. */
export function alsoFound(sources: Sources): Passage[] {
  const above = shown(sources)
  return sources.passages.filter((one) => !above.includes(one))
}

/** The sentences that nothing in the library supports. Where the library has nothing, that is said once, for all. */
export function unsupported({ covered, sentences }: Sources): Sentence[] {
  return covered ? (sentences ?? []).filter(({ support }) => support === 'unsupported') : []
}

/** An answer's words without the marks of its citations: the numbers mean something in that one answer only. */
export function withoutMarks(text: string): string {
  return text.replace(/ ?\[\d{1,2}(?:, ?\d{1,2})*\]/g, '')
}

/** A word shorter than this is in most sentences; scripts without spaces are compared by what stands between marks. */
const WORD = /[\p{L}\p{N}]{4,}/gu
const stems = (text: string): string[] => (text.toLowerCase().match(WORD) ?? []).map((word) => word.slice(0, 6))

/** The part of a passage that a card has room for: from the sentence on that has most of the question's words. */
export function excerpt(text: string, question: string): string {
  const wanted = new Set(stems(question))
  let best = { start: 0, has: 0 }
  for (const sentence of text.matchAll(/[^.!?…。！？؟۔।\n]+[.!?…。！？؟۔।\n]*\s*/gu)) {
    const has = new Set(stems(sentence[0]).filter((stem) => wanted.has(stem))).size
    if (has > best.has) best = { start: sentence.index, has }
  }
  return best.start > 0 ? `… ${text.slice(best.start).trimStart()}` : text
}

/** The headings above a passage without the first, where that is the title that stands before them anyway. */
export function headingBelow(title: string, heading: string): string {
  const [first, ...rest] = heading.split(' › ')
  return first === title ? rest.join(' › ') : heading
}
