// The answers that are being written, also those of conversations that are not on the screen: each has one stream.

import { reactive } from 'vue'
import { ChatError, isAbort, stopAnswer, type ChatEvent, type ChatRequest, type Point } from '../api/chat'
import { codeOf } from '../errors'
import { language } from '../i18n'
import { wake } from '../wake'
import * as rules from './conversation'
import { follow } from './follow'
import type { Conversation, Message } from './types'

export interface Wait {
  place: number
  /** When the first words are expected, in milliseconds since 1970; null when the box cannot tell. */
  until: number | null
}

export interface Run {
  readonly conversation: Conversation
  /** The box's latest words on the answer ("the engine is starting again"), or null. */
  notice: string | null
  /** The place in the queue; null once it is this answer's turn. */
  wait: Wait | null
  /** True while the connection is gone and tried again. */
  lost: boolean
}

/** While an answer grows it is kept this often, so that a reload finds most of it here. */
const KEEP_EVERY_MS = 1_500
/** A question that was stopped before the box had named its answer waits so long for the name, to tell the box. */
const NAME_MS = 5_000

const runs = reactive(new Map<string, Run>())
const aborts = new Map<string, AbortController>()

export function runOf(answer: Message | null): Run | null {
  return (answer && runs.get(answer.id)) ?? null
}

/** The conversation as it is being written, not as it was last kept. */
export function running(conversationId: string): Conversation | null {
  for (const { conversation } of runs.values()) if (conversation.id === conversationId) return conversation
  return null
}

/** Has the last answer of a conversation written, from its question or from where it stands. */
export async function run(conversation: Conversation, urgent: boolean, keep: () => Promise<void>): Promise<Message> {
  const answer = rules.writing(conversation)!
  const turns = rules.turns(conversation)
  const request: ChatRequest = { messages: turns, ...(urgent ? { urgent } : {}) }
  const from: ChatRequest | Point = answer.run ?? request
  const abort = new AbortController()
  aborts.set(answer.id, abort)
  runs.set(answer.id, { conversation, notice: null, wait: null, lost: false })
  // A phone that is put away may never wake this page again.
  const sleepOn = wake((what) => what === 'hidden' && void keep())
  try {
    await keep()
    await receiveAll(answer, follow(from, language.value, abort.signal), turns.length, keep)
    rules.interrupt(answer)
  } catch (cause) {
    if (!isAbort(cause) && !abort.signal.aborted) fail(answer, cause)
  } finally {
    sleepOn()
    aborts.delete(answer.id)
    runs.delete(answer.id)
  }
  return answer
}

async function receiveAll(answer: Message, steps: ReturnType<typeof follow>, turns: number, keep: () => Promise<void>): Promise<void> {
  let keptAt = Date.now()
  for await (const step of steps) {
    const run = runs.get(answer.id)
    if (typeof step === 'string') {
      if (run) run.lost = step === 'lost'
      continue
    }
    const { event, id } = step
    if (answer.state !== 'writing') {
      if (event.type === 'started') void stopAnswer(event.answer)
      return
    }
    rules.receive(answer, event.type === 'error' ? { ...event, code: codeOf(event.code, turns) } : event, Date.now(), id)
    if (run) show(run, event)
    if (event.type === 'started' || event.type === 'passages' || Date.now() - keptAt > KEEP_EVERY_MS) {
      keptAt = Date.now()
      void keep()
    }
  }
}

/** The latest word counts: a place, a notice, or the answer itself. */
function show(run: Run, event: ChatEvent): void {
  if (event.type === 'started' || event.type === 'passages' || event.type === 'cites') return
  run.notice = event.type === 'notice' ? event.text : null
  run.wait = event.type === 'queued' && event.place > 0 ? { place: event.place, until: later(event.expected_s) } : null
}

function later(seconds: number | null | undefined): number | null {
  return typeof seconds === 'number' ? Date.now() + seconds * 1000 : null
}

function fail(answer: Message, cause: unknown): void {
  const { code, retryAfter } = cause instanceof ChatError ? cause : { code: 'internal', retryAfter: null }
  const message = cause instanceof Error ? cause.message : String(cause)
  rules.receive(answer, { type: 'error', code, message, retry: true, retry_after_s: retryAfter }, Date.now())
}

/** Stops writing, here and on the box. */
export function stop(conversation: Conversation): void {
  const answer = rules.writing(conversation)
  if (!answer) return
  const name = answer.run?.answer
  const abort = aborts.get(answer.id)
  rules.stop(answer)
  runs.delete(answer.id)
  if (name === undefined) {
    setTimeout(() => abort?.abort(), NAME_MS)
    return
  }
  abort?.abort()
  void stopAnswer(name)
}

export function stopAll(): void {
  for (const { conversation } of [...runs.values()]) stop(conversation)
}
