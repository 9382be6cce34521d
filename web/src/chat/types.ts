// What a conversation is on this device. The wire has its own types (`api/`).

import type { Point } from '../api/chat'
import type { Sources } from './sources'

export type Role = 'user' | 'assistant'

/** How an answer stands. "interrupted" is one whose page was closed, or whose stream broke, while it was written. */
export type AnswerState = 'writing' | 'complete' | 'stopped' | 'interrupted' | 'failed'

export interface Failure {
  code: string
  /** The server's own words, shown when the code is not one we know. */
  message: string
  /** When asking again makes sense, in milliseconds since 1970; absent where that is at once or unknown. */
  until?: number
}

export interface Message {
  id: string
  role: Role
  text: string
  at: number
  /** Only on answers. */
  state?: AnswerState
  failure?: Failure
  /** Where the answer stands on the box, while it is written: a reload goes on behind that. */
  run?: Point
  /** True when the model stopped because it had used all the words that one answer may have. */
  cut?: boolean
  /** True when the box withdrew what the model had begun to say. */
  replaced?: boolean
  /** What to keep in mind with it, in the box's words. */
  warnings?: string[]
  /** What the library has on the question, and what of it the answer cites. */
  sources?: Sources
  /** The ledger entry that says how it came about. */
  audit?: number
}

export interface Conversation {
  id: string
  title: string
  /** True once the member named it; until then the first question is the title. */
  named: boolean
  createdAt: number
  updatedAt: number
  messages: Message[]
}

export interface Summary {
  id: string
  title: string
  updatedAt: number
}
