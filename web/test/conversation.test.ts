import { describe, expect, it } from 'vitest'
import * as rules from '../src/chat/conversation'
import type { ChatEvent } from '../src/api/chat'
import type { Conversation, Message } from '../src/chat/types'

function begin(...questions: string[]): Conversation {
  const conversation = rules.newConversation('c', 1)
  for (const question of questions) {
    const answer = rules.ask(conversation, question, ids, 2)
    rules.receive(answer, { type: 'token', text: `answer to ${question}` }, 2)
    rules.receive(answer, { type: 'done', finish_reason: 'stop' }, 2)
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
    rules.receive(rules.ask(conversation, 'b', ids, 3), { type: 'error', code: 'queue_full', message: '', retry: true }, 2)
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
    rules.receive(answer, { type: 'token', text: 'half' }, 2)
    rules.stop(answer)
    rules.receive(answer, { type: 'token', text: ' late' }, 2)
    rules.receive(answer, { type: 'done', finish_reason: 'stop' }, 2)
    expect(answer).toMatchObject({ text: 'half', state: 'stopped' })
  })

  it('that was being written when the page was closed, before it had a name, is interrupted, never writing for ever', () => {
    const conversation = rules.newConversation('c', 1)
    rules.ask(conversation, 'a', ids, 2)
    expect(last(rules.restored(conversation)).state).toBe('interrupted')
    expect(rules.writing(conversation)).toBeNull()
  })

  it('that was being written under a name goes on where it was, and only its last answer does', () => {
    const conversation = rules.newConversation('c', 1)
    for (const [question, name] of [['a', 'old'], ['b', 'new']] as const) {
      const answer = rules.ask(conversation, question, ids, 2)
      rules.receive(answer, { type: 'started', answer: name }, 2, 0)
      rules.receive(answer, { type: 'token', text: 'x' }, 2, 1)
    }
    const found = rules.restored(JSON.parse(JSON.stringify(conversation)) as Conversation)
    expect(found.messages[1]).not.toHaveProperty('run')
    expect(found.messages[1]!.state).toBe('interrupted')
    expect(rules.writing(found)?.run).toEqual({ answer: 'new', last: 1 })
  })

  it('has no name on the box once it is over, however it ended', () => {
    for (const end of [
      (answer: Message) => rules.receive(answer, { type: 'done', finish_reason: 'stop' }, 2, 2),
      (answer: Message) => rules.receive(answer, { type: 'error', code: 'x', message: '', retry: false }, 2, 2),
      rules.stop,
      rules.interrupt,
    ]) {
      const answer = rules.ask(rules.newConversation('c', 1), 'a', ids, 2)
      rules.receive(answer, { type: 'started', answer: 'n' }, 2, 0)
      end(answer)
      expect(answer.run).toBeUndefined()
    }
  })

  it('that was stopped elsewhere is not whole, and nobody is said to have stopped it here', () => {
    const answer = rules.ask(rules.newConversation('c', 1), 'a', ids, 2)
    rules.receive(answer, { type: 'done', finish_reason: 'other', stopped: true }, 2)
    expect(answer.state).toBe('interrupted')
  })

  it('that was refused for a while knows until when', () => {
    const answer = rules.ask(rules.newConversation('c', 1), 'a', ids, 2)
    rules.receive(answer, { type: 'error', code: 'quota', message: '', retry: true, retry_after_s: 30 }, 1000)
    expect(answer.failure).toEqual({ code: 'quota', message: '', until: 31_000 })
  })

  it('says when an answer ended because it was as long as it may be', () => {
    const answer = rules.ask(rules.newConversation('c', 1), 'a', ids, 2)
    rules.receive(answer, { type: 'done', finish_reason: 'length' }, 2)
    expect(answer).toMatchObject({ state: 'complete', cut: true })
  })
})

describe('what the community’s rules do to an answer', () => {
  it('replaces what was written so far, and more can follow', () => {
    const answer = rules.ask(rules.newConversation('c', 1), 'a', ids, 2)
    rules.receive(answer, { type: 'token', text: 'what should not be said' }, 2, 1)
    rules.receive(answer, { type: 'replaced', text: 'This was withdrawn.' }, 2, 2)
    rules.receive(answer, { type: 'done', finish_reason: 'other' }, 2, 3)
    expect(answer).toMatchObject({ text: 'This was withdrawn.', replaced: true, state: 'complete' })
  })

  it('adds warnings, and the entry that says why', () => {
    const answer = rules.ask(rules.newConversation('c', 1), 'a', ids, 2)
    rules.receive(answer, { type: 'warning', text: 'Take care.' }, 2, 1)
    rules.receive(answer, { type: 'warning', text: 'And again.' }, 2, 2)
    rules.receive(answer, { type: 'done', finish_reason: 'stop', audit: 41 } as ChatEvent, 2, 3)
    expect(answer).toMatchObject({ warnings: ['Take care.', 'And again.'], audit: 41 })
  })
})
