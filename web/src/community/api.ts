// What the box says about the community, and how it is asked: one function for every request, and every failure with
// a code that `failures.ts` has words for. The types are the box's own, generated from its description. Moments are
// Unix seconds, as on the box.

import type { components } from '../api/schema'

type Schemas = components['schemas']

export type Named = Schemas['MemberName']
export type Role = Schemas['Role']
export type Permission = Schemas['Permission']
export type Me = Schemas['Me']
export type Founding = Schemas['FoundingView']
export type Founded = Schemas['FoundedView']
export type NewInvitation = Schemas['InvitationCode']
export type Invitation = Schemas['Invitation']
export type MemberRow = Schemas['MemberView']
export type RoleRow = Schemas['RoleView']
export type ResetCode = Schemas['ResetCode']

export type ProposalState = Schemas['ProposalState']
export type ProposalSummary = Schemas['ProposalLine']
export type ProposalList = Schemas['ProposalList']
export type ProposalOption = Schemas['ProposalOption']
export type ProposalView = Schemas['ProposalView']
/** What is sent for a new proposal. */
export type NewProposal = Schemas['NewProposal']
export type PaperCodes = Schemas['PaperCodes']
export type Delegations = Schemas['DelegationsView']

export type PolicyInForce = Schemas['PolicyView']
export type PolicyVersion = Schemas['PolicyVersion']
export type ConstitutionInForce = Schemas['ConstitutionView']
export type Authority = Schemas['Authority']
export type Entry = Schemas['LedgerEntry']
export type LedgerPage = Schemas['LedgerPage']
export type Verified = Schemas['LedgerVerdict']

export type Case = Schemas['CaseView']
export type Desk = Schemas['ModerationDesk']
export type OwnHeld = Schemas['OwnHeld']
export type Emergency = Schemas['EmergencyView']
export type Audit = Schemas['Audit']
export type TrialAnswers = Schemas['TrialAnswers']
/** What a member keeps on the box. */
export type Kept = Schemas['History']

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

type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

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
