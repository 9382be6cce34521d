// Votes: what can be said by each method, and what came out.

import type { components } from '../api/schema'
import type { Key } from '../i18n'

type Schemas = components['schemas']

export type Method = Schemas['Method']
export type MethodRule = Schemas['MethodRule']
export type Choice = Schemas['Choice']
export type Verdict = Schemas['Verdict']
export type Outcome = Schemas['Outcome']

/** One button of a ballot. Where `reason` is true it opens a field first. */
export interface BallotButton {
  label: Key
  choice: Choice
  reason?: boolean
}

const YES_NO: BallotButton[] = [
  { label: 'vote.yes', choice: { kind: 'yes' } },
  { label: 'vote.no', choice: { kind: 'no' } },
  { label: 'vote.abstain', choice: { kind: 'abstain' } },
]
const FEELINGS: Record<string, Key> = {
  '2': 'sense.2',
  '1': 'sense.1',
  '0': 'sense.0',
  '-1': 'sense.-1',
  '-2': 'sense.-2',
}
const SENSE = [2, 1, 0, -1, -2]

/** The buttons of a method whose ballot is one tap; none for points and rankings, which have their own form. */
export function ballotButtons(method: Method): BallotButton[] {
  switch (method.name) {
    case 'consent':
      return [
        { label: 'vote.consent', choice: { kind: 'yes' } },
        { label: 'vote.aside', choice: { kind: 'abstain' } },
        { label: 'vote.object', choice: { kind: 'object', reason: '' }, reason: true },
      ]
    case 'consensus':
      return [
        { label: 'vote.agree', choice: { kind: 'yes' } },
        { label: 'vote.aside', choice: { kind: 'abstain' } },
        { label: 'vote.block', choice: { kind: 'object', reason: '' }, reason: true },
      ]
    case 'majority':
    case 'super_majority':
      return YES_NO
    case 'sense_check':
      return SENSE.map((feeling) => ({ label: feelingLabel(feeling), choice: { kind: 'sense', feeling } }))
    default:
      return []
  }
}

export function feelingLabel(feeling: number): Key {
  return FEELINGS[String(feeling)] ?? 'sense.0'
}

/** Whether this button is what the member said last. */
export function isChosen(button: BallotButton, mine: Choice | null | undefined): boolean {
  if (mine == null || mine.kind !== button.choice.kind) return false
  return mine.kind !== 'sense' || (button.choice.kind === 'sense' && button.choice.feeling === mine.feeling)
}

/** What somebody said, as the label of the button with which they said it; null for points and rankings. */
export function choiceLabel(choice: Choice, method: Method): Key | null {
  return ballotButtons(method).find((button) => isChosen(button, choice))?.label ?? null
}

/** Puts an option at the end of a ranking, or takes it out. */
export function toggleRank(order: readonly number[], option: number): number[] {
  return order.includes(option) ? order.filter((one) => one !== option) : [...order, option]
}

/** Each share of a whole in hundredths, for bars; all nothing where nothing was said. */
export function shares(counts: readonly number[]): number[] {
  const whole = counts.reduce((sum, one) => sum + one, 0)
  return counts.map((one) => (whole === 0 ? 0 : (one / whole) * 100))
}
