// What the box says about the community, and how it is asked: one function for every request, and every failure with
// a code that `failures.ts` has words for. Moments are Unix seconds, as on the box.

import type { Constitution, Decision, EmergencyPower, Policy, SanctionStep, Topic } from './decisions'
import type { Choice, Method, MethodRule, Outcome } from './voting'

export type Role = 'steward' | 'moderator' | 'librarian' | 'mediator' | 'member' | 'guest'
export type Permission =
  | 'ask'
  | 'read'
  | 'decide'
  | 'invite'
  | 'report'
  | 'moderate'
  | 'keep_library'
  | 'mediate'
  | 'operate'
  | 'emergency'

export interface Named {
  id: string
  name: string
}

export interface Me {
  founded: boolean
  community: string
  member: (Named & { roles: Role[]; permissions: Permission[] }) | null
  joining: { open: boolean; members_invite: boolean; guests_ask: boolean }
  may_ask: boolean
  sanction: { step: string; until: number | null } | null
  setup_code_needed: boolean
}

export interface Kit {
  id: string
  title: string
  about: string
  governance_model: string
}
export interface Founding {
  founded: boolean
  kits: Kit[]
}
export interface Founded {
  me: Me
  shares: string[]
  invitation: NewInvitation
}

export interface NewInvitation {
  id?: string
  code: string
  url: string
  qr_svg?: string
}
export interface Invitation {
  id: string
  by: string
  uses_left: number
  expires: number
  created: number
}

export interface MemberRow extends Named {
  roles: { role: Role; from: number; until: number | null }[]
  joined: number
}
export interface RoleRow {
  role: Role
  permissions: Permission[]
  members: (Named & { until: number | null })[]
}

export type ProposalState = 'draft' | 'discussion' | 'open' | 'passed' | 'failed' | 'withdrawn' | 'enacted'

export interface ProposalSummary {
  id: string
  title: string
  topic: Topic
  state: ProposalState
  author: Named
  created: number
  opened: number | null
  closes: number | null
  voted: boolean
  method: Method
  comments: number
  votes: number
}
export interface ProposalList {
  proposals: ProposalSummary[]
  /** Those that the community wanted to look at again by now. */
  reviews: string[]
}
export interface ProposalOption {
  title: string
  decision?: Decision | null
}
export interface Amendment {
  at: number
  reason: string
  title?: string
}
export interface Proposal {
  id: string
  author: string
  title: string
  text: string
  topic: Topic
  options: ProposalOption[]
  rule: MethodRule
  state: ProposalState
  created: number
  amendments?: Amendment[]
  review?: number | null
}
export interface Comment {
  id: number
  by: Named
  at: number
  text: string
  held: boolean
}
export interface ProposalView {
  proposal: Proposal
  author_name: string
  closes: number | null
  opens_earliest: number | null
  my_ballot: Choice | null
  my_delegate: Named | null
  voted: number
  electorate: number
  outcome: Outcome | null
  ballots: { name: string; choice: Choice; via: string | null }[] | null
  comments: Comment[]
  enacted_entry: number | null
  diff?: string[] | null
  may: { amend: boolean; submit: boolean; open: boolean; withdraw: boolean; vote: boolean; comment: boolean }
  paper_codes_open: number
}

export interface PolicyInForce {
  version: number
  entry: number
  since: number
  policy: Policy
  proposal: string | null
}
export interface PolicyVersion {
  version: number
  entry: number
  at: number
  authority: unknown
}
export interface ConstitutionInForce {
  version: number
  /** Absent before the founding. */
  constitution: Constitution | null
}

export interface Delegations {
  rule: { max_length: number; max_votes: number | null } | null
  mine: { topic: Topic | null; to: Named; path: string[] }[]
  to_me: { topic: Topic | null; from: Named }[]
}

export interface Entry {
  seq: number
  time: number
  kind: string
  payload: unknown
  previous: string
  hash: string
  signature: string
}
export interface LedgerPage {
  entries: Entry[]
  head: { seq: number; hash: string } | null
  key: string
}
export interface Verified {
  ok: boolean
  entries: number
  head: { seq: number; hash: string } | string | null
  took_ms: number
  first_bad: { seq: number; reason: string } | null
}

export interface Case {
  id: string
  state: 'reported' | 'settled' | 'appealed' | 'mediation' | 'agreed' | 'closed'
  about: 'answer' | 'comment' | 'member'
  reference: string | null
  reporter: Named | null
  against: Named | null
  moderator: Named | null
  /** Whom each side would like as mediator. */
  named: { by: string; mediator: Named }[]
  mediator: Named | null
  sanction: SanctionStep | null
  words: { by: Named; at: number; text: string }[]
  agreed: string[]
  created: number
}
export interface Held {
  id: number
  at: number
  side: 'question' | 'answer'
  rules: string[]
  question: string
  answer: string | null
}
export interface HeldComment {
  proposal: string
  comment: Comment
  why: string
}
export interface Desk {
  cases: Case[]
  held: Held[]
  comments: HeldComment[]
}

export interface EmergencyCall {
  id: string
  power: EmergencyPower
  reason: string
  by: Named
  agreed: Named[]
  asked: number
  until: number | null
  ratified: boolean
}
export interface OwnHeld {
  id: number
  at: number
  side: 'question' | 'answer'
  state: 'waiting' | 'allowed' | 'refused' | 'answered'
  question: string | null
  answer: string | null
}

/** The same question under the policy in force and under a proposed one. */
export interface TrialAnswers {
  before: string
  before_rules: string[]
  after: string
  after_rules: string[]
}

export interface Emergency {
  rule: { max_hours: number; ratify_hours: number; stewards: number; powers: EmergencyPower[] } | null
  in_use: EmergencyCall[]
  asked: EmergencyCall[]
}

export interface Audit {
  entry: number
  at: number
  model: string | null
  adapter: string | null
  policy_version: number
  policy_entry: number
  rules: string[]
  action: string
  skipped?: string[]
  sources: string[]
  queue_ms: number
  first_word_ms: number | null
  total_ms: number
}

/** The box said no, or could not be reached. */
export class ApiFailure extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
  ) {
    super(message)
  }
}

/** Called when the box says that nobody is signed in. */
let onSignedOut: () => void = () => undefined
export function whenSignedOut(call: () => void): void {
  onSignedOut = call
}

/** A box that has not answered by then counts as away. */
const ANSWER_TIMEOUT_MS = 20_000

type Verb = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** Asks the box. Throws `ApiFailure`. */
export async function call<T>(method: Verb, path: string, body?: unknown, timeoutMs = ANSWER_TIMEOUT_MS): Promise<T> {
  const giveUp = new AbortController()
  const timer = setTimeout(() => giveUp.abort(), timeoutMs)
  try {
    const response = await fetch(`/api/${path}`, {
      method,
      signal: giveUp.signal,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (response.status === 204) return undefined as T
    const found: unknown = await response.json()
    if (response.ok) return found as T
    if (response.status === 401) onSignedOut()
    throw refusal(found, response.status)
  } catch (cause) {
    // A page that is no JSON is another network's.
    throw cause instanceof ApiFailure ? cause : new ApiFailure('unreachable', String(cause), 0)
  } finally {
    clearTimeout(timer)
  }
}

function refusal(body: unknown, status: number): ApiFailure {
  const error = (body as { error?: { code?: string | null; type?: string; message?: string } } | null)?.error
  return new ApiFailure(error?.code ?? `http_${status}`, error?.message ?? '', status)
}

export const get = <T>(path: string): Promise<T> => call<T>('GET', path)
export const post = <T>(path: string, body: unknown = {}): Promise<T> => call<T>('POST', path, body)
