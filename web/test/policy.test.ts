import { beforeAll, describe, expect, it } from 'vitest'
import { newRule, newTopic, proposalOf, tidy, type Draft } from '../src/community/draft'
import { policyChanges, policyWords, splitWords } from '../src/community/policy'
import { loadCommunityWords, setLanguage } from '../src/i18n'
import { policy } from './community'

beforeAll(async () => {
  await setLanguage('en')
  await loadCommunityWords()
})

const draft = (change: Partial<Draft>): Draft => ({
  kind: 'closing',
  title: ' A greeting ',
  text: '',
  policy: policy(),
  basedOn: 3,
  role: { what: 'grant', member: 'm-0000000001', role: 'moderator', days: 90 },
  models: '',
  ...change,
})

describe('a policy in words', () => {
  it('says only what is set, and that nothing is kept', () => {
    expect(policyWords(policy())).toEqual([{ part: 'keeping', lines: ['The box keeps no conversations.', 'Questions to the members are kept for 90 days.'] }])
    expect(policyWords(policy({ closing: 'Peace!' }))[0]).toEqual({ part: 'closing', lines: ['Every answer ends with “Peace!”.'] })
  })

  it('tells a change as what goes and what comes', () => {
    const topic = { name: 'elections', words: ['election', 'vote'], action: 'decline' as const, message: '' }
    expect(policyChanges(policy({ closing: 'Hello' }), policy({ closing: 'Peace!', topics: [topic] }))).toEqual([
      { part: 'closing', before: ['Every answer ends with “Hello”.'], after: ['Every answer ends with “Peace!”.'] },
      { part: 'topics', before: [], after: ['It does not talk about elections (election, vote).'] },
    ])
    expect(policyChanges(policy(), policy())).toEqual([])
  })

  it('tells every kind of rule', () => {
    const rule = { ...newRule(), name: 'abuse', pattern: { kind: 'semantic' as const, examples: ['you are nothing'], nearness: 80 } }
    const quotas = { ...policy().quotas, members_per_hour: 1, program_weight_percent: { books: 50 }, urgent: true }
    const lines = policyWords(policy({ moderation: [rule], quotas, max_answer_tokens: 400 })).flatMap((part) => part.lines)
    expect(lines).toContain('abuse: what means nearly the same as: you are nothing in questions and answers. What happens: there is no answer.')
    expect(lines).toContain('A member may ask 1 question in an hour.')
    expect(lines).toContain('The program books gets 50 turns for each 100 turns of a member.')
    expect(lines).toContain('An answer has 400 tokens at most.')
  })
})

describe('what a member types', () => {
  it.each([
    ['a, b', ['a', 'b']],
    ['a،b、 c ;a', ['a', 'b', 'c']],
    [' , ', []],
  ])('%j is words', (text, words) => expect(splitWords(text)).toEqual(words))

  it('and leaves empty changes nothing', () => {
    const typed = policy({ topics: [newTopic()], moderation: [newRule()], sample_questions: ['', ' '], closing: ' Peace! ' })
    expect(tidy(typed)).toEqual(policy({ closing: 'Peace!' }))
  })

  it('a topic without a name is called by its first word', () => {
    expect(tidy(policy({ topics: [{ ...newTopic(), words: ['elections'] }] })).topics[0]?.name).toBe('elections')
  })
})

describe('a new proposal', () => {
  it('carries the whole policy and the version that it was written from', () => {
    const { title, options } = proposalOf(draft({ policy: policy({ closing: 'Peace!' }) }))
    expect(title).toBe('A greeting')
    expect(options).toEqual([{ title: 'A greeting', decision: { type: 'set_policy', policy: policy({ closing: 'Peace!' }), based_on: 3 } }])
  })

  it('is just a question for a sense check', () => {
    expect(proposalOf(draft({ kind: 'sense', title: 'Sunday?' }))).toEqual({ title: 'Sunday?', text: '', topic: 'other', options: [] })
  })

  it('gives a role for a time, or ends one', () => {
    expect(proposalOf(draft({ kind: 'role' })).options?.[0]?.decision).toEqual({ type: 'grant_role', member: 'm-0000000001', role: 'moderator', days: 90 })
    const end = draft({ kind: 'role', role: { what: 'end', member: 'm-0000000001', role: 'steward', days: 90 } })
    expect(proposalOf(end).options?.[0]?.decision).toEqual({ type: 'end_role', member: 'm-0000000001', role: 'steward' })
  })

  it('of several models has an option for each', () => {
    expect(proposalOf(draft({ kind: 'model', models: 'small\n\n large \nsmall' })).options).toEqual([
      { title: 'small', decision: { type: 'activate_model', model: 'small' } },
      { title: 'large', decision: { type: 'activate_model', model: 'large' } },
    ])
  })
})
