// The rules of a conversation: values in, new state out. No clock, no network, no disk; `now` and ids are arguments.
//
//   ask ──► writing ──token*──► complete         (done)
//                     ├───────► stopped          (the member pressed Stop)
//                     ├───────► interrupted      (the stream ended without a word, or before it had a name on the box)
//                     └───────► failed           (the box said why)
//
// Only the last answer can be "writing". While it is, `run` says where it stands on the box, so that a reload goes on
// there. Whoever holds the stream may move it (`running.ts`); nobody else.

import type { ChatEvent } from '../api/chat'
import { sourcesOf, withCites, withoutMarks } from './sources'
import type { AnswerState, Conversation, Message } from './types'

const TITLE_CHARS = 60

/** A title out of the first question: its first line, cut at a word. */
export function titleOf(question: string): string {
  const line = question.trim().split(/\s*\n/)[0] ?? ''
  if (line.length <= TITLE_CHARS) return line
  const cut = line.slice(0, TITLE_CHARS)
  const space = cut.lastIndexOf(' ')
  return `${space > TITLE_CHARS / 2 ? cut.slice(0, space) : cut}…`
}

export function newConversation(id: string, now: number): Conversation {
  return { id, title: '', named: false, createdAt: now, updatedAt: now, messages: [] }
}

/** Adds a question and the empty answer to it, and gives that answer. */
export function ask(conversation: Conversation, question: string, ids: () => string, now: number): Message {
  if (!conversation.named && conversation.messages.length === 0) conversation.title = titleOf(question)
  conversation.messages.push({ id: ids(), role: 'user', text: question, at: now })
  return beginAnswer(conversation, ids, now)
}

function beginAnswer(conversation: Conversation, ids: () => string, now: number): Message {
  conversation.messages.push({ id: ids(), role: 'assistant', text: '', at: now, state: 'writing' })
  conversation.updatedAt = now
  return conversation.messages[conversation.messages.length - 1]!
}

/** Throws away everything after the question, optionally replaces the question, and begins its answer anew. */
export function askAgain(
  conversation: Conversation,
  questionId: string,
  question: string | null,
  ids: () => string,
  now: number,
): Message | null {
  const at = conversation.messages.findIndex((message) => message.id === questionId && message.role === 'user')
  if (at < 0) return null
  conversation.messages.splice(at + 1)
  if (question !== null) {
    conversation.messages[at]!.text = question
    if (at === 0 && !conversation.named) conversation.title = titleOf(question)
  }
  return beginAnswer(conversation, ids, now)
}

/** The question that an answer belongs to. */
export function questionOf(conversation: Conversation, answerId: string): Message | null {
  const at = conversation.messages.findIndex((message) => message.id === answerId)
  const before = conversation.messages[at - 1]
  return before?.role === 'user' ? before : null
}

/** What the model gets to read: questions, and the answers that have words in them. Failed questions are left out. */
export function turns(conversation: Conversation): { role: 'user' | 'assistant'; content: string }[] {
  const kept: { role: 'user' | 'assistant'; content: string }[] = []
  const { messages } = conversation
  for (let at = 0; at < messages.length; at++) {
    const message = messages[at]!
    if (message.role === 'user') {
      const answer = messages[at + 1]
      const open = !answer || answer.state === 'writing'
      if (open || answer.text !== '') kept.push({ role: 'user', content: message.text })
    } else if (message.text !== '' && message.state !== 'writing') {
      kept.push({ role: 'assistant', content: message.sources ? withoutMarks(message.text) : message.text })
    }
  }
  return kept
}

/** Applies one event of the stream, and its number, to the answer. Events after its end change nothing. */
export function receive(answer: Message, event: ChatEvent, now: number, id: number | null = null): void {
  if (answer.state !== 'writing') return
  if (answer.run && id !== null) answer.run.last = id
  switch (event.type) {
    case 'started':
      answer.run = { answer: event.answer, last: id ?? 0 }
      break
    case 'token':
      answer.text += event.text
      break
    case 'replaced':
      answer.text = event.text
      answer.replaced = true
      // What stands there now rests on no passage.
      delete answer.sources
      break
    case 'passages':
      answer.sources = sourcesOf(event)
      break
    case 'cites':
      if (answer.sources) answer.sources = withCites(answer.sources, event)
      break
    case 'warning':
      answer.warnings = [...(answer.warnings ?? []), event.text]
      break
    case 'queued':
    case 'notice':
      break
    case 'done':
      // Stopped elsewhere: in another tab, or by the box because nobody listened for a minute.
      end(answer, event.stopped ? 'interrupted' : 'complete')
      if (event.finish_reason === 'length') answer.cut = true
      if (typeof event.audit === 'number') answer.audit = event.audit
      break
    case 'error':
      end(answer, 'failed')
      answer.failure = { code: event.code, message: event.message }
      if (event.retry_after_s) answer.failure.until = now + event.retry_after_s * 1000
      break
  }
}

export function stop(answer: Message): void {
  if (answer.state === 'writing') end(answer, 'stopped')
}

/** The stream ended and nothing said that the answer was whole. */
export function interrupt(answer: Message): void {
  if (answer.state === 'writing') end(answer, 'interrupted')
}

function end(answer: Message, state: AnswerState): void {
  answer.state = state
  delete answer.run
}

/** A conversation as it was found on the disk: what was being written may go on, if it has a name on the box. */
export function restored(conversation: Conversation): Conversation {
  const unfinished = writing(conversation)
  for (const message of conversation.messages) {
    if (message !== unfinished || !message.run) interrupt(message)
  }
  return conversation
}

/** The answer that is being written, or null. */
export function writing(conversation: Conversation): Message | null {
  const last = conversation.messages[conversation.messages.length - 1]
  return last?.state === 'writing' ? last : null
}
