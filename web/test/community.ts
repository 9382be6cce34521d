// What a box would say, for tests of the community's pages.

import type { Me, ProposalSummary, ProposalView } from '../src/community/api'
import type { Policy } from '../src/community/decisions'
import type { Method } from '../src/community/voting'

export const policy = (change: Partial<Policy> = {}): Policy => ({
  persona: '',
  style: '',
  values: '',
  languages: [],
  closing: '',
  topics: [],
  disclaimers: [],
  max_answer_tokens: null,
  sources: null,
  moderation: [],
  quotas: { members_per_hour: null, guests_per_hour: null, guest_weight_percent: null, program_weight_percent: {}, urgent: false },
  keeping: { conversations: false, conversation_days: 90, moderation_days: 30, question_days: 90 },
  sharing: [],
  training: false,
  sample_questions: [],
  ...change,
})

export const summary = (id: string, change: Partial<ProposalSummary> = {}): ProposalSummary => ({
  id,
  title: id,
  topic: 'behaviour',
  state: 'open',
  author: { id: 'm-0000000000', name: 'Amina' },
  created: 0,
  opened: 0,
  closes: null,
  voted: false,
  method: { name: 'consent' },
  comments: 0,
  votes: 0,
  ...change,
})

export const view = (method: Method, change: Partial<ProposalView> = {}): ProposalView => ({
  proposal: {
    id: 'p-0000000000',
    author: 'm-0000000000',
    title: 'A greeting',
    text: '',
    topic: 'behaviour',
    options: [{ title: 'First' }, { title: 'Second' }, { title: 'Third' }],
    rule: { method, secret: false, quorum_percent: null, discussion_hours: 0, min_open_hours: 0, max_open_hours: 48, review_days: null },
    state: 'open',
    created: 0,
  },
  author_name: 'Amina',
  closes: null,
  opens_earliest: null,
  my_ballot: null,
  my_delegate: null,
  voted: 0,
  electorate: 3,
  outcome: null,
  ballots: null,
  comments: [],
  enacted_entry: null,
  may: { amend: false, submit: false, open: false, withdraw: false, vote: true, comment: true },
  paper_codes_open: 0,
  ...change,
})

export const me = (change: Partial<Me> = {}): Me => ({
  founded: true,
  community: 'Mto wa Mbu',
  member: { id: 'm-0000000001', name: 'Baraka', roles: ['member'], permissions: ['ask', 'read', 'decide', 'report'] },
  joining: { open: false, members_invite: true, guests_ask: false },
  may_ask: true,
  sanction: null,
  setup_code_needed: false,
  ...change,
})

export interface Asked {
  method: string
  path: string
  body: unknown
}

/** Answers each path with what stands for it, and remembers what was asked. An array is a refusal: status and code. */
export function answering(answers: Record<string, unknown>): { asked: Asked[]; fetcher: typeof fetch } {
  const asked: Asked[] = []
  const fetcher: typeof fetch = (url, init) => {
    const path = (url as string).replace(/^\/api\//, '')
    const method = init?.method ?? 'GET'
    asked.push({ method, path, body: typeof init?.body === 'string' ? JSON.parse(init.body) : undefined })
    const key = `${method} ${path}` in answers ? `${method} ${path}` : path
    const found = answers[key]
    if (found === undefined) return Promise.reject(new TypeError(`nobody answers ${method} ${path}`))
    if (Array.isArray(found) && typeof found[0] === 'number') {
      return Promise.resolve(Response.json({ error: { code: found[1], message: 'the box’s words', type: '' } }, { status: found[0] }))
    }
    return Promise.resolve(found === null ? new Response(null, { status: 204 }) : Response.json(found))
  }
  return { asked, fetcher }
}
