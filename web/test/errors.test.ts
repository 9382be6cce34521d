import { describe, expect, it } from 'vitest'
import { boxState, nextDelay } from '../src/box/status'
import { codeOf, serverWords, wordingOf } from '../src/errors'
import { t } from '../src/i18n'

describe('the words for a failure', () => {
  it.each([
    ['unreachable', /could not be reached/, 'retry'],
    ['connection_lost', /broke off/, 'retry'],
    ['engine_unavailable', /not running/, 'retry'],
    ['engine_lost', /stopped in the middle/, 'retry'],
    ['queue_full', /Many people/, 'retry'],
    ['busy', /Many people/, 'retry'],
    ['quota', /asked a lot/, 'retry'],
    ['too_long_a_wait', /wait too long/, 'retry'],
    ['answer_gone', /no longer on the box/, 'again'],
    ['http_429', /Many people/, 'retry'],
    ['context_length_exceeded', /longer than the assistant/, 'new'],
    ['question_too_long', /too long/, 'none'],
    ['something_new', /went wrong/, 'retry'],
  ])('%s: say what happened and offer what helps', (code, what, remedy) => {
    const wording = wordingOf({ code, message: 'x' })
    expect(t(wording.what)).toMatch(what)
    expect(t(wording.todo)).not.toBe('')
    expect(wording.remedy).toBe(remedy)
  })

  it('tell a question that is too long from a conversation that is', () => {
    expect(codeOf('context_length_exceeded', 1)).toBe('question_too_long')
    expect(codeOf('context_length_exceeded', 3)).toBe('context_length_exceeded')
    expect(codeOf('queue_full', 1)).toBe('queue_full')
  })

  it('never show a code or the box’s English where we have words of our own', () => {
    expect(serverWords({ code: 'queue_full', message: 'queue is full' })).toBeNull()
    expect(serverWords({ code: 'something_new', message: 'the words' })).toBe('the words')
    expect(serverWords({ code: 'something_new', message: '' })).toBeNull()
  })
})

describe('the state of the box', () => {
  it.each([
    ['ready', 'ready'],
    ['loading', 'starting'],
    ['failed', 'down'],
    ['down', 'down'],
    ['a word of a newer box', 'down'],
  ] as const)('%s is %s', (engine, expected) => expect(boxState(engine)).toBe(expected))

  it('is asked more often in trouble, but never as a storm', () => {
    const delays = Array.from({ length: 8 }, (_, at) => nextDelay('starting', at + 1))
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(2_000)
    expect(Math.max(...delays)).toBeLessThanOrEqual(10_000)
    expect(nextDelay('ready', 0)).toBe(20_000)
  })
})
