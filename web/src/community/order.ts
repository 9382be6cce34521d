// The Assembly's list: what needs this member first.

import type { ProposalState, ProposalSummary } from './api'
import { waitsFor } from './me'

export const GROUPS = ['vote', 'review', 'discussion', 'draft', 'open', 'decided'] as const
export type Group = (typeof GROUPS)[number]

const BY_STATE: Record<ProposalState, Group> = {
  draft: 'draft',
  discussion: 'discussion',
  open: 'open',
  passed: 'decided',
  failed: 'decided',
  withdrawn: 'decided',
  sensed: 'decided',
  enacted: 'decided',
}

/**
 * Proposals by group, empty groups left out. Votes that close first stand first; everything else as it came. `reviews`
 * are those that the community wanted to look at again by now.
 */
export function grouped(
  proposals: readonly ProposalSummary[],
  reviews: readonly string[],
  mayVote: boolean,
): { group: Group; list: ProposalSummary[] }[] {
  const groupOf = (one: ProposalSummary): Group => {
    if (mayVote && waitsFor(one)) return 'vote'
    return reviews.includes(one.id) ? 'review' : (BY_STATE[one.state] ?? 'decided')
  }
  return GROUPS.map((group) => {
    const list = proposals.filter((one) => groupOf(one) === group)
    if (group === 'vote') list.sort((a, b) => (a.closes ?? Infinity) - (b.closes ?? Infinity))
    return { group, list }
  }).filter(({ list }) => list.length > 0)
}
