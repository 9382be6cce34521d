// The one owner of what is open: the conversation on the screen, and the list beside it. What writes is `running.ts`.
// Components read `session` and call the functions below; nothing else changes a conversation.

import { reactive, shallowReadonly } from 'vue'
import { checkBox } from '../box/status'
import { isConversation, latestFirst, openHistory, summaryOf, type HistoryStore } from '../history/store'
import { MemoryHistory } from '../history/memory'
import { newId } from '../ids'
import * as rules from './conversation'
import { run, running, runOf, stop as stopWriting, stopAll, type Run } from './running'
import type { Conversation, Summary } from './types'

interface Session {
  conversation: Conversation
  list: Summary[]
  /** The id of the answer that is being written, or null. */
  readonly writing: string | null
  /** How that goes. */
  readonly run: Run | null
  kind: HistoryStore['kind']
  /** True after the device refused to keep a conversation. */
  full: boolean
}

const state = reactive<Session>({
  conversation: rules.newConversation(newId(), Date.now()),
  list: [],
  get writing() {
    return rules.writing(this.conversation)?.id ?? null
  },
  get run() {
    return runOf(rules.writing(this.conversation))
  },
  kind: 'memory',
  full: false,
})
export const session = shallowReadonly(state)

let store: HistoryStore = new MemoryHistory()

export async function openSession(): Promise<void> {
  store = await openHistory()
  state.kind = store.kind
  state.list = await store.list().catch(() => [])
}

/** Opens a conversation, or an empty one; false when it is not on this device. What was being written goes on. */
export async function open(id: string | null): Promise<boolean> {
  if (id === state.conversation.id) return true
  if (id === null && state.conversation.messages.length === 0) return true
  const found = id === null ? rules.newConversation(newId(), Date.now()) : (running(id) ?? (await store.load(id).catch(() => null)))
  if (!found) return false
  state.conversation = found
  resume(state.conversation)
  return true
}

/** Goes on with an answer that was being written when the page went away, unless this page is at it. */
function resume(conversation: Conversation): void {
  if (runOf(rules.writing(conversation))) return
  rules.restored(conversation)
  if (rules.writing(conversation)) void write(conversation)
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

/** `urgent` asks for the priority of an emergency, where the box grants it. */
export function send(question: string, urgent = false): void {
  if (state.writing !== null) return
  const { conversation } = state
  rules.ask(conversation, question, newId, Date.now())
  void write(conversation, urgent)
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
  stopWriting(state.conversation)
}

export async function rename(id: string, title: string): Promise<void> {
  const trimmed = title.trim()
  const conversation = id === state.conversation.id ? state.conversation : (running(id) ?? (await store.load(id)))
  if (!conversation || trimmed === '') return
  conversation.title = trimmed
  conversation.named = true
  await keep(conversation)
}

/** Deletes at once, and gives the way back. */
export async function remove(id: string): Promise<() => Promise<void>> {
  const current = id === state.conversation.id
  const conversation = current ? state.conversation : (running(id) ?? (await store.load(id)))
  if (conversation) stopWriting(conversation)
  await store.remove(id)
  state.list = state.list.filter((one) => one.id !== id)
  if (current) state.conversation = rules.newConversation(newId(), Date.now())
  return async () => {
    if (conversation) await keep(rules.restored(conversation))
  }
}

export async function removeAll(): Promise<void> {
  stopAll()
  await store.clear()
  state.list = []
  state.conversation = rules.newConversation(newId(), Date.now())
}

/** Every whole conversation of this device, so that it can be kept elsewhere, too. */
export async function everything(): Promise<Conversation[]> {
  const found = await Promise.all(state.list.map(({ id }) => running(id) ?? store.load(id)))
  return found.filter((one): one is Conversation => one !== null && rules.writing(one) === null)
}

/** Takes in what was kept elsewhere; what is newer here stays. Gives whether it is a conversation at all. */
export async function takeIn(found: unknown): Promise<boolean> {
  if (!isConversation(found)) return false
  const here = state.list.find(({ id }) => id === found.id)
  if (!here || here.updatedAt < found.updatedAt) await keep(rules.restored(found))
  return true
}

async function write(conversation: Conversation, urgent = false): Promise<void> {
  const keepIt = (): Promise<void> => (stillKept(conversation) ? keep(conversation) : Promise.resolve())
  const answer = await run(conversation, urgent, keepIt)
  if (answer.state === 'failed' || answer.state === 'interrupted') void checkBox()
  await keepIt()
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
