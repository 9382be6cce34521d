import { describe, expect, it } from 'vitest'
import * as rules from '../src/chat/conversation'
import type { Conversation } from '../src/chat/types'

function begin(...questions: string[]): Conversation {
  const conversation = rules.newConversation('c', 1)
  for (const question of questions) {
    const answer = rules.ask(conversation, question, ids, 2)
    rules.receive(answer, { type: 'token', text: `answer to ${question}` })
    rules.receive(answer, { type: 'done', finish_reason: 'stop' })
  }
  return conversation
}
let count = 0
const ids = (): string => `m${count++}`
const last = (conversation: Conversation) => conversation.messages[conversation.messages.length - 1]!

describe('a conversation', () => {
  it('has its first question as title, cut at a word, until the member names it', () => {
    const conversation = begin('How do I keep seeds good until the next season comes around again?')
    expect(conversation.title).toBe('How do I keep seeds good until the next season comes around…')
    conversation.title = 'Seeds'
    conversation.named = true
    rules.askAgain(conversation, conversation.messages[0]!.id, 'other', ids, 3)
    expect(conversation.title).toBe('Seeds')
  })

  it('gives the model every turn with words in it', () => {
    const conversation = begin('a', 'b')
    rules.ask(conversation, 'c', ids, 3)
    expect(rules.turns(conversation).map((turn) => turn.content)).toEqual(['a', 'answer to a', 'b', 'answer to b', 'c'])
  })

  it('leaves out a question that failed without a word', () => {
    const conversation = begin('a')
    rules.receive(rules.ask(conversation, 'b', ids, 3), { type: 'error', code: 'queue_full', message: '', retry: true })
    rules.ask(conversation, 'c', ids, 4)
    expect(rules.turns(conversation).map((turn) => turn.content)).toEqual(['a', 'answer to a', 'c'])
  })

  it('drops what came after a question that is asked again', () => {
    const conversation = begin('a', 'b', 'c')
    rules.askAgain(conversation, conversation.messages[2]!.id, 'B', ids, 3)
    expect(conversation.messages.map((message) => message.text)).toEqual(['a', 'answer to a', 'B', ''])
    expect(last(conversation).state).toBe('writing')
  })

  it('keeps what was written when it is stopped, and hears nothing after that', () => {
    const conversation = rules.newConversation('c', 1)
    const answer = rules.ask(conversation, 'a', ids, 2)
    rules.receive(answer, { type: 'token', text: 'half' })
    rules.stop(answer)
    rules.receive(answer, { type: 'token', text: ' late' })
    rules.receive(answer, { type: 'done', finish_reason: 'stop' })
    expect(answer).toMatchObject({ text: 'half', state: 'stopped' })
  })

  it('that was being written when the page was closed is interrupted, never writing for ever', () => {
    const conversation = rules.newConversation('c', 1)
    rules.ask(conversation, 'a', ids, 2)
    expect(last(rules.restored(conversation)).state).toBe('interrupted')
  })

  it('says when an answer ended because it was as long as it may be', () => {
    const answer = rules.ask(rules.newConversation('c', 1), 'a', ids, 2)
    rules.receive(answer, { type: 'done', finish_reason: 'length' })
    expect(answer).toMatchObject({ state: 'complete', cut: true })
  })
})
