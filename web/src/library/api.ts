// What the box says about the library. The types are the box's own, generated from its description; moments are Unix
// seconds, as on the box.

import type { components } from '../api/schema'
import { call, get, post } from '../community/api'

type Schemas = components['schemas']

export type Shelves = Schemas['Shelves']
export type Shelf = Schemas['ShelfView']
export type NewShelf = Schemas['NewCollection']
export type Archive = Schemas['Archive']
export type Consent = Schemas['Consent']
export type Use = Schemas['Use']
export type Level = Schemas['Level']
export type Audience = Schemas['Audience']
export type DocumentLine = Schemas['DocumentView']
export type DocumentPage = Schemas['DocumentPage']
export type Reading = Schemas['DocumentReading']
export type ArticleReading = Schemas['ArticleReading']
export type Part = Schemas['Part']
export type Block = Schemas['ReadBlock']
export type Cited = Schemas['Cited']
export type Version = Schemas['VersionView']
export type Diff = Schemas['Diff']
export type DiffPart = Schemas['DiffPart']
export type Added = Schemas['AddedView']
export type Upload = Schemas['UploadView']
export type Found = Schemas['Found']
export type Hit = Schemas['FoundHit']
export type Waiting = Schemas['WaitingView']
export type Mine = Schemas['Mine']
export type Trace = Schemas['Trace']
export type Question = Schemas['QuestionView']
export type QuestionPage = Schemas['QuestionPage']
export type Thread = Schemas['ThreadView']
export type Unanswered = Schemas['Unanswered']

/** A query out of what is known; what is absent is left out. */
export function query(parts: Record<string, string | number | null | undefined>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parts)) if (value !== null && value !== undefined && value !== '') query.set(name, String(value))
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

const document = (id: string): string => `library/documents/${encodeURIComponent(id)}`

export const shelves = (): Promise<Shelves> => get('library/collections')
export const makeShelf = (shelf: NewShelf): Promise<Shelf> => post('library/collections', shelf)
export const changeShelf = (id: string, shelf: NewShelf): Promise<Shelf> => call('PATCH', `library/collections/${encodeURIComponent(id)}`, shelf)

export const documents = (collection: string, contains: string, after: number | null): Promise<DocumentPage> =>
  get(`library/documents${query({ collection, contains, after })}`)
export const find = (q: string, collection: string | null): Promise<Found> => get(`library/search${query({ q, collection, limit: 20 })}`)

export interface Where {
  version?: string | undefined
  from?: string | undefined
  to?: string | undefined
  /** The part that holds this byte. */
  at?: number | undefined
}
export const read = (id: string, { version, from, to, at }: Where): Promise<Reading> => get(`${document(id)}${query({ version, from, to, at })}`)
export const readArticle = (zim: string, path: string, { from, to, at }: Where): Promise<ArticleReading> =>
  get(`library/zim/${encodeURIComponent(zim)}/article${query({ path, from, to, at })}`)
export const withdraw = (id: string, why: string): Promise<Trace> => call('DELETE', `${document(id)}${query({ why })}`)
export const versions = (id: string): Promise<Version[]> => get(`${document(id)}/versions`)
export const diff = (id: string, from: number, to: number): Promise<Diff> => get(`${document(id)}/diff${query({ from, to })}`)
export const restore = (id: string, version: number, why: string): Promise<Added> => post(`${document(id)}/restore`, { version, why })
export const originalOf = (id: string, version: number): string => `/api/${document(id)}/original${query({ version })}`

export const uploads = (): Promise<Upload[]> => get('library/uploads')
export const upload = (id: string): Promise<Upload> => get(`library/uploads/${encodeURIComponent(id)}`)

export const desk = (): Promise<Waiting[]> => get('library/review')
export const review = (id: string, version: number, accept: boolean, why: string): Promise<void> =>
  post(`library/review/${encodeURIComponent(id)}/${version}`, { accept, why })

export const mine = (): Promise<Mine> => get('library/mine')
export const withdrawMine = (why: string): Promise<unknown> => call('DELETE', 'library/mine', { why })

export const questions = (state: 'open' | 'answered', after: number | null): Promise<QuestionPage> => get(`library/questions${query({ state, after })}`)
export const question = (id: string): Promise<Thread> => get(`library/questions/${id}`)
export const ask = (text: string, named: boolean): Promise<Question> => post('library/questions', { text, named })
export const answer = (id: string, text: string, mayBecome: boolean): Promise<Thread> =>
  post(`library/questions/${id}/answers`, { text, may_become_document: mayBecome })
export const takeBackQuestion = (id: string): Promise<void> => call('DELETE', `library/questions/${id}`)
export const takeBackAnswer = (id: string, answer: number): Promise<unknown> => call('DELETE', `library/questions/${id}/answers/${answer}`)
export const toDocument = (id: string, answer: number, collection: string, title: string): Promise<Added> =>
  post(`library/questions/${id}/document`, { answer, collection, title })
export const unanswered = (): Promise<Unanswered> => get('library/unanswered')
