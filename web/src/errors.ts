// Every way an answer can fail, in words: what happened, and what to do now. The words are in the language files;
// here stands which words belong to which code.

import type { Failure } from './chat/types'
import type { Key } from './i18n'

/** What a button under the failed answer offers. */
export type Remedy = 'retry' | 'again' | 'new' | 'signIn' | 'none'

export interface Wording {
  /** Key of the sentence that says what happened. */
  what: Key
  /** Key of the sentence that says what to do. */
  todo: Key
  remedy: Remedy
  /** True for what mends itself: once the box is well again, the sentence changes to "ready again". */
  passing?: boolean
}

const WORDINGS: Record<string, Wording> = {
  unreachable: { what: 'error.unreachable.what', todo: 'error.unreachable.todo', remedy: 'retry', passing: true },
  connection_lost: { what: 'error.lost.what', todo: 'error.lost.todo', remedy: 'retry' },
  engine_unavailable: { what: 'error.engine.what', todo: 'error.engine.todo', remedy: 'retry', passing: true },
  engine_lost: { what: 'error.engineLost.what', todo: 'error.engineLost.todo', remedy: 'retry', passing: true },
  answer_gone: { what: 'error.gone.what', todo: 'error.gone.todo', remedy: 'again' },
  quota: { what: 'error.quota.what', todo: 'error.quota.todo', remedy: 'retry' },
  too_long_a_wait: { what: 'error.longWait.what', todo: 'error.longWait.todo', remedy: 'retry' },
  signed_out: { what: 'error.signedOut.what', todo: 'error.signedOut.todo', remedy: 'signIn' },
  not_allowed: { what: 'error.notAllowed.what', todo: 'error.notAllowed.todo', remedy: 'none' },
  paused: { what: 'error.paused.what', todo: 'error.paused.todo', remedy: 'retry' },
  too_many_held: { what: 'error.held.what', todo: 'error.held.todo', remedy: 'retry' },
  busy: { what: 'error.busy.what', todo: 'error.busy.todo', remedy: 'retry' },
  context_length_exceeded: { what: 'error.tooLong.what', todo: 'error.tooLong.todo', remedy: 'new' },
  question_too_long: { what: 'error.questionTooLong.what', todo: 'error.questionTooLong.todo', remedy: 'none' },
}

/** Other names for the same: what matters to a member is one thing. */
const ALIASES: Record<string, string> = {
  model_loading: 'engine_unavailable',
  http_401: 'signed_out',
  queue_full: 'busy',
  http_429: 'busy',
  http_413: 'question_too_long',
}

const OTHER: Wording = { what: 'error.other.what', todo: 'error.other.todo', remedy: 'retry' }

export function wordingOf(failure: Failure): Wording {
  return WORDINGS[ALIASES[failure.code] ?? failure.code] ?? OTHER
}

/** A conversation that is too long for the model helps nobody to shorten when it is one question: then that is too long. */
export function codeOf(code: string, turns: number): string {
  return code === 'context_length_exceeded' && turns === 1 ? 'question_too_long' : code
}

/** The server's own words, only where ours say nothing in particular. */
export function serverWords(failure: Failure): string | null {
  return wordingOf(failure) === OTHER && failure.message !== '' ? failure.message : null
}

/** Every wording there is, for the test that each has its sentences in each language. */
export const ALL_WORDINGS: Wording[] = [...Object.values(WORDINGS), OTHER]
