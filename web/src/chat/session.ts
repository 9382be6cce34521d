// The one owner of what is open: the conversation on the screen, the list beside it, and the stream that writes.
// Components read `session` and call the functions below; nothing else changes a conversation.

import { reactive, shallowReadonly } from 'vue'
import { chat, ChatError, isAbort } from '../api/chat'
import { checkBox } from '../box/status'
import { latestFirst, openHistory, summaryOf, type HistoryStore } from '../history/store'
import { MemoryHistory } from '../history/memory'
import { codeOf } from '../errors'
import { language } from '../i18n'
import { newId } from '../ids'
import * as rules from './conversation'
import type { Conversation, Message, Summary } from './types'

interface Session {
  conversation: Conversation
  list: Summary[]
  /** The box's latest words on the running answer ("the engine is starting again"), or null. */
  notice: string | null
  /** The id of the answer that is being written, or null. */
  writing: string | null
  kind: HistoryStore['kind']
  /** True after the device refused to keep a conversation. */
  full: boolean
}

const state = reactive<Session>({
  conversation: rules.newConversation(newId(), Date.now()),
  list: [],
  notice: null,
  writing: null,
  kind: 'memory',
  full: false,
})
export const session = shallowReadonly(state)

let store: HistoryStore = new MemoryHistory()
let abort: AbortController | null = null

/** While an answer grows it is kept this often, so that a reload loses little. */
const KEEP_EVERY_MS = 1_500

export async function openSession(): Promise<void> {
  store = await openHistory()
  state.kind = store.kind
  state.list = await store.list().catch(() => [])
}

/** Opens a conversation, or an empty one; false when it is not on this device. A running answer is stopped. */
export async function open(id: string | null): Promise<boolean> {
  if (id === state.conversation.id) return true
  if (id === null && state.conversation.messages.length === 0) return true
  const found = id === null ? rules.newConversation(newId(), Date.now()) : await store.load(id).catch(() => null)
  if (!found) return false
  stop()
  state.conversation = rules.restored(found)
  state.notice = null
  return true
}

/** Takes over what was said on the page before the app was there. */
export async function adopt(turns: { role: 'user' | 'assistant'; content: string }[]): Promise<string> {
  const now = Date.now()
  const conversation = rules.newConversation(newId(), now)
  conversation.messages = turns.map(({ role, content }) => ({
    id: newId(),
    role,
    text: content,
    at: now,
    ...(role === 'assistant' ? { state: 'complete' as const } : {}),
  }))
  conversation.title = rules.titleOf(turns[0]?.content ?? '')
  state.conversation = conversation
  await keep(state.conversation)
  return conversation.id
}

export function send(question: string): void {
  if (state.writing !== null) return
  const { conversation } = state
  rules.ask(conversation, question, newId, Date.now())
  void write(conversation)
}

/** Asks the same question again, or a corrected one; what came after it is dropped. */
export function sendAgain(questionId: string, question: string | null = null): void {
  stop()
  const { conversation } = state
  if (rules.askAgain(conversation, questionId, question, newId, Date.now())) void write(conversation)
}

export function retry(answerId: string): void {
  const question = rules.questionOf(state.conversation, answerId)
  if (question) sendAgain(question.id)
}

export function stop(): void {
  abort?.abort()
  const answer = state.conversation.messages.find((message) => message.id === state.writing)
  if (answer) rules.stop(answer)
  settle()
}

export async function rename(id: string, title: string): Promise<void> {
  const trimmed = title.trim()
  const conversation = id === state.conversation.id ? state.conversation : await store.load(id)
  if (!conversation || trimmed === '') return
  conversation.title = trimmed
  conversation.named = true
  await keep(conversation)
}

/** Deletes at once, and gives the way back. */
export async function remove(id: string): Promise<() => Promise<void>> {
  const current = id === state.conversation.id
  if (current) stop()
  const conversation = current ? state.conversation : await store.load(id)
  await store.remove(id)
  state.list = state.list.filter((one) => one.id !== id)
  if (current) state.conversation = rules.newConversation(newId(), Date.now())
  return async () => {
    if (conversation) await keep(rules.restored(conversation))
  }
}

export async function removeAll(): Promise<void> {
  stop()
  await store.clear()
  state.list = []
  state.conversation = rules.newConversation(newId(), Date.now())
}

async function write(conversation: Conversation): Promise<void> {
  const answer = conversation.messages[conversation.messages.length - 1]!
  const mine = new AbortController()
  abort = mine
  state.writing = answer.id
  state.notice = null
  await keep(conversation)
  try {
    await receiveAll(conversation, answer, mine.signal)
    rules.interrupt(answer)
  } catch (cause) {
    if (!isAbort(cause) && !mine.signal.aborted) fail(answer, cause)
  }
  if (abort === mine) settle()
  if (answer.state === 'failed' || answer.state === 'interrupted') void checkBox()
  if (stillKept(conversation)) await keep(conversation)
}

async function receiveAll(conversation: Conversation, answer: Message, signal: AbortSignal): Promise<void> {
  let keptAt = Date.now()
  const messages = rules.turns(conversation)
  for await (const event of chat({ messages }, language.value, signal)) {
    if (signal.aborted) return
    rules.receive(answer, event.type === 'error' ? { ...event, code: codeOf(event.code, messages.length) } : event)
    state.notice = event.type === 'notice' ? event.text : event.type === 'token' ? null : state.notice
    if (Date.now() - keptAt > KEEP_EVERY_MS) {
      keptAt = Date.now()
      void keep(conversation)
    }
  }
}

function fail(answer: Message, cause: unknown): void {
  const code = cause instanceof ChatError ? cause.code : 'internal'
  const message = cause instanceof Error ? cause.message : String(cause)
  rules.receive(answer, { type: 'error', code, message, retry: true })
}

function settle(): void {
  abort = null
  state.writing = null
  state.notice = null
}

/** A conversation that the member deleted while it was written must not come back. */
function stillKept(conversation: Conversation): boolean {
  return conversation.id === state.conversation.id || state.list.some((one) => one.id === conversation.id)
}

async function keep(conversation: Conversation): Promise<void> {
  const summary = summaryOf(conversation)
  state.list = [summary, ...state.list.filter((one) => one.id !== summary.id)].sort(latestFirst)
  try {
    await store.save(conversation)
    state.full = false
  } catch {
    state.full = true
  }
}
