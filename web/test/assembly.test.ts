import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, nextTick, type App } from 'vue'
import { call, type ProposalView } from '../src/community/api'
import { failureWords } from '../src/community/failures'
import { countWaiting, loadMe, may, me as state, member, setMe, signOut, watchMe } from '../src/community/me'
import { community } from '../src/community/name'
import { grouped } from '../src/community/order'
import { qrDrawing } from '../src/community/qr'
import { ballotButtons, choiceLabel, shares, toggleRank, type Method, type Outcome } from '../src/community/voting'
import VoteBox from '../src/components/community/VoteBox.vue'
import VoteResult from '../src/components/community/VoteResult.vue'
import { loadCommunityWords, setLanguage } from '../src/i18n'
import { answering, me, summary, view, type Asked } from './community'

beforeAll(async () => {
  await setLanguage('en')
  await loadCommunityWords()
})

let app: App | null = null
beforeEach(() => {
  document.body.innerHTML = '<div id="root"></div>'
  setMe(me())
})
afterEach(() => {
  app?.unmount()
  app = null
  vi.unstubAllGlobals()
})

function stub(answers: Record<string, unknown>): Asked[] {
  const { asked, fetcher } = answering(answers)
  vi.stubGlobal('fetch', fetcher)
  return asked
}
const find = <T extends HTMLElement>(name: string): T | null => document.querySelector<T>(`[data-test="${name}"]`)
const press = async (name: string): Promise<void> => {
  find<HTMLButtonElement>(name)!.click()
  await nextTick()
}

describe('the Assembly’s list', () => {
  const all = [
    summary('new', { state: 'discussion' }),
    summary('late', { closes: 200 }),
    summary('soon', { closes: 100 }),
    summary('voted', { voted: true }),
    summary('old', { state: 'enacted' }),
    summary('lost', { state: 'failed' }),
  ]
  const names = (mayVote: boolean, reviews: string[] = []): Record<string, string[]> =>
    Object.fromEntries(grouped(all, reviews, mayVote).map(({ group, list }) => [group, list.map((one) => one.id)]))

  it('begins with what needs one’s vote, the soonest first', () => {
    expect(grouped(all, [], true)[0]?.group).toBe('vote')
    expect(names(true)).toEqual({ vote: ['soon', 'late'], discussion: ['new'], open: ['voted'], decided: ['old', 'lost'] })
  })

  it('asks nobody to vote who cannot', () => {
    expect(names(false)).toEqual({ discussion: ['new'], open: ['late', 'soon', 'voted'], decided: ['old', 'lost'] })
  })

  it('shows what is to be looked at again', () => {
    expect(names(false, ['old']).review).toEqual(['old'])
  })
})

describe('a ballot', () => {
  const mount = (method: Method, onChanged: (now: ProposalView) => void = () => undefined, change: Partial<ProposalView> = {}): void => {
    app = createApp(VoteBox, { view: view(method, change), onChanged })
    app.mount('#root')
  }

  it('of consent is cast with one tap', async () => {
    const after = view({ name: 'consent' }, { my_ballot: { kind: 'yes' } })
    const asked = stub({ 'PUT proposals/p-0000000000/ballot': after, proposals: { proposals: [], reviews: [] } })
    const changed = vi.fn()
    mount({ name: 'consent' }, changed)
    await press('ballot-yes')
    await vi.waitFor(() => expect(changed).toHaveBeenCalledWith(after))
    expect(asked[0]).toEqual({ method: 'PUT', path: 'proposals/p-0000000000/ballot', body: { choice: { kind: 'yes' } } })
  })

  it('with an objection needs its reason first', async () => {
    const asked = stub({ 'PUT proposals/p-0000000000/ballot': view({ name: 'consent' }), proposals: { proposals: [], reviews: [] } })
    mount({ name: 'consent' })
    await press('ballot-object')
    await nextTick()
    expect(asked).toEqual([])
    expect(document.activeElement).toBe(find('reason'))
    expect(find<HTMLButtonElement>('send-objection')!.disabled).toBe(true)
    const field = find<HTMLTextAreaElement>('reason')!
    field.value = ' It is too long. '
    field.dispatchEvent(new Event('input'))
    await nextTick()
    await press('send-objection')
    await vi.waitFor(() => expect(asked[0]?.body).toEqual({ choice: { kind: 'object', reason: 'It is too long.' } }))
  })

  it('of a ranking is the order of the taps', async () => {
    const asked = stub({ 'PUT proposals/p-0000000000/ballot': view({ name: 'ranked_choice' }), proposals: { proposals: [], reviews: [] } })
    mount({ name: 'ranked_choice' })
    for (const option of [2, 0, 1, 0]) await press(`rank-${option}`)
    await press('send-ranking')
    await vi.waitFor(() => expect(asked[0]?.body).toEqual({ choice: { kind: 'ranking', order: [2, 1] } }))
  })

  it('of points gives each option a number', async () => {
    const asked = stub({ 'PUT proposals/p-0000000000/ballot': view({ name: 'score', max: 5 }), proposals: { proposals: [], reviews: [] } })
    mount({ name: 'score', max: 5 })
    const select = find<HTMLSelectElement>('points-1')!
    select.value = '4'
    select.dispatchEvent(new Event('change'))
    await nextTick()
    await press('send-score')
    await vi.waitFor(() => expect(asked[0]?.body).toEqual({ choice: { kind: 'score', points: [0, 4, 0] } }))
  })

  it('that the box refuses says why, and counts nothing', async () => {
    stub({ 'PUT proposals/p-0000000000/ballot': [409, 'vote_not_open'] })
    const changed = vi.fn()
    mount({ name: 'majority' }, changed)
    await press('ballot-no')
    await vi.waitFor(() => expect(find('form-error')?.textContent).toBe('This vote is not open any more.'))
    expect(changed).not.toHaveBeenCalled()
  })

  it('shows what was said last, and who speaks for one meanwhile', () => {
    mount({ name: 'sense_check' }, undefined, { my_ballot: { kind: 'sense', feeling: -1 } })
    expect(find('ballot-sense--1')!.getAttribute('aria-pressed')).toBe('true')
    expect(find('ballot-sense-1')!.getAttribute('aria-pressed')).toBe('false')
    app!.unmount()
    mount({ name: 'consent' }, undefined, { my_delegate: { id: 'm-0000000002', name: 'Chausiku' } })
    expect(find('my-delegate')!.textContent).toMatch(/^Chausiku speaks for you/)
  })
})

describe('a method', () => {
  it.each([
    [{ name: 'consent' }, ['yes', 'abstain', 'object']],
    [{ name: 'consensus' }, ['yes', 'abstain', 'object']],
    [{ name: 'super_majority', percent: 67 }, ['yes', 'no', 'abstain']],
    [{ name: 'sense_check' }, ['sense', 'sense', 'sense', 'sense', 'sense']],
    [{ name: 'score', max: 5 }, []],
  ] as [Method, string[]][])('%j has these buttons', (method, kinds) => {
    expect(ballotButtons(method).map(({ choice }) => choice.kind)).toEqual(kinds)
  })

  it('names a choice as the button did', () => {
    expect(choiceLabel({ kind: 'object', reason: 'why' }, { name: 'consensus' })).toBe('vote.block')
    expect(choiceLabel({ kind: 'ranking', order: [0] }, { name: 'ranked_choice' })).toBeNull()
  })
})

describe('a result', () => {
  const outcome = (detail: Outcome['detail'], verdict: Outcome['verdict']): Outcome => ({ verdict, electorate: 5, taking_part: 4, delegated: 1, detail })
  const mount = (method: Method, found: Outcome, change: Partial<ProposalView> = {}): string => {
    app = createApp(VoteResult, { view: view(method, change), outcome: found })
    app.mount('#root')
    return document.getElementById('root')!.textContent!.replace(/\s+/g, ' ')
  }

  it('of a run-off shows each round', () => {
    const rounds = [
      { votes: [2, 1, 1], exhausted: 0, eliminated: 2 },
      { votes: [2, 1, 0], exhausted: 1, eliminated: null },
    ]
    const text = mount({ name: 'ranked_choice' }, outcome({ kind: 'ranked', rounds }, { verdict: 'accepted', option: 0 }))
    expect(text).toMatch('“First” has won.')
    expect(text).toMatch('4 of 5 took part. 1 vote was handed on.')
    expect(text).toMatch('Round 1First: 2Second: 1Third: 1“Third” goes out.')
    expect(text).toMatch('1 ballot names none of those left.')
  })

  it('that an objection stopped says with which reason, and who voted how', () => {
    const detail = { kind: 'yes_no' as const, yes: 3, no: 1, abstain: 0, reasons: ['Too long.'] }
    const ballots = [{ name: 'Chausiku', choice: { kind: 'yes' as const }, via: 'Amina' }]
    const text = mount({ name: 'consent' }, outcome(detail, { verdict: 'rejected', reason: 'objection' }), { ballots })
    expect(text).toMatch('Not passed: somebody objected.')
    expect(text).toMatch('Too long.')
    expect(text).toMatch('Chausiku: I consent through Amina')
  })

  it('is drawn in shares of all that was said', () => {
    expect(shares([3, 1, 0])).toEqual([75, 25, 0])
    expect(shares([0, 0])).toEqual([0, 0])
    expect(toggleRank([2, 0], 1)).toEqual([2, 0, 1])
    expect(toggleRank([2, 0, 1], 2)).toEqual([0, 1])
  })
})

describe('who is signed in', () => {
  it('is asked of the box, with the votes that wait', async () => {
    const proposals = [summary('a'), summary('b', { voted: true }), summary('c', { state: 'discussion' })]
    stub({ me: me(), proposals: { proposals, reviews: [] } })
    await loadMe()
    expect(member.value?.name).toBe('Baraka')
    expect(state.waiting).toBe(1)
    expect(community.value).toBe('Mto wa Mbu')
    expect([may('decide'), may('operate')]).toEqual([true, false])
  })

  it('stays as it was while the box is out of reach', async () => {
    stub({})
    await loadMe()
    expect(member.value?.name).toBe('Baraka')
  })

  it('is nobody after signing out, and nothing waits any more', async () => {
    state.waiting = 2
    const asked = stub({ 'POST sign-out': null, me: me({ member: null }) })
    await signOut(true)
    expect(asked[0]).toEqual({ method: 'POST', path: 'sign-out', body: { everywhere: true } })
    expect([member.value, state.waiting]).toEqual([null, 0])
  })

  it('turns when somebody else is signed in, and not when the same one is asked for again', () => {
    const before = state.turns
    setMe(me())
    expect(state.turns).toBe(before)
    setMe(me({ member: null }))
    expect(state.turns).toBe(before + 1)
  })

  it('is nobody when the session ended elsewhere', async () => {
    stub({ me: me({ member: null }), proposals: [401, 'signed_out'] })
    watchMe()
    setMe(me())
    await expect(countWaiting()).rejects.toMatchObject({ status: 401 })
    await vi.waitFor(() => expect(member.value).toBeNull())
  })
})

describe('a refusal', () => {
  const words = (cause: unknown): string => failureWords(cause)

  it('is told in our words where we have some, else in the box’s', async () => {
    stub({ 'POST join': [409, 'name_taken'], 'POST other': [400, 'something_new'] })
    expect(words(await call('POST', 'join').catch((cause: unknown) => cause))).toMatch(/^Somebody here has this name/)
    expect(words(await call('POST', 'other').catch((cause: unknown) => cause))).toBe('the box’s words')
    expect(words(await call('GET', 'nothing').catch((cause: unknown) => cause))).toMatch(/could not be reached/)
    expect(words(new Error('x'))).toMatch(/^Something went wrong/)
  })

  it('by another network’s page is no answer of the box', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('<html>please log in</html>')))
    await expect(call('GET', 'me')).rejects.toMatchObject({ code: 'unreachable' })
  })
})

describe('a QR code', () => {
  it('is drawn from its path alone', () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 29 29"><script>alert(1)</script><path d="M0,0h7v1z"/></svg>'
    expect(qrDrawing(svg)).toEqual({ viewBox: '0 0 29 29', paths: ['M0,0h7v1z'] })
    expect(qrDrawing('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="url(x)"/></svg>')).toBeNull()
    expect(qrDrawing('')).toBeNull()
  })
})
