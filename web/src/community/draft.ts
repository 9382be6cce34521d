// A proposal that is being written: from guided forms to what the box is sent. Values in, values out.

import type { NewProposal, Role } from './api'
import type { Decision, ModerationRule, Policy, TopicRule } from './decisions'
import type { Part } from './policy'

/** What a member can propose by a form. The first six change a part of the policy. */
export const KINDS = ['closing', 'topic', 'style', 'persona', 'moderation', 'quotas', 'role', 'model', 'sense'] as const
export type Kind = (typeof KINDS)[number]

/** The part of the policy that is open when a form begins; null where none is changed. */
export const PART_OF: Record<Kind, Part | null> = {
  closing: 'closing',
  topic: 'topics',
  style: 'style',
  persona: 'persona',
  moderation: 'moderation',
  quotas: 'quotas',
  role: null,
  model: null,
  sense: null,
}

export interface RoleForm {
  what: 'grant' | 'end'
  member: string
  role: Role
  /** 0: until ended. */
  days: number
}

export interface Draft {
  kind: Kind
  title: string
  text: string
  policy: Policy
  basedOn: number
  role: RoleForm
  /** One a line; more than one are options to choose from. */
  models: string
}

export const copyOf = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

export const newTopic = (): TopicRule => ({ name: '', words: [], action: 'decline', message: '' })
export const newRule = (): ModerationRule => ({ name: '', pattern: { kind: 'words', words: [] }, on: 'both', action: 'refuse' })

/** A policy without the lines that a member began and left empty, and without spaces around words. */
export function tidy(policy: Policy): Policy {
  const tidied = copyOf(policy)
  for (const part of ['persona', 'style', 'values', 'closing'] as const) tidied[part] = tidied[part].trim()
  for (const rule of tidied.topics) {
    rule.name = rule.name.trim() || (rule.words[0] ?? '')
    rule.message = (rule.message ?? '').trim()
  }
  tidied.topics = tidied.topics.filter((rule) => rule.name !== '' && rule.words.length > 0)
  for (const rule of tidied.moderation) {
    rule.name = rule.name.trim() || (rule.pattern.kind === 'words' ? (rule.pattern.words[0] ?? '') : '')
  }
  tidied.moderation = tidied.moderation.filter((rule) => rule.name !== '' && !(rule.pattern.kind === 'words' && rule.pattern.words.length === 0))
  tidied.disclaimers = tidied.disclaimers.filter(({ text }) => text.trim() !== '')
  tidied.sample_questions = tidied.sample_questions.map((one) => one.trim()).filter((one) => one !== '')
  return tidied
}

export function proposalOf(draft: Draft): NewProposal {
  const title = draft.title.trim()
  const text = draft.text.trim()
  if (draft.kind === 'sense') return { title, text, topic: 'other', options: [] }
  if (draft.kind === 'model') {
    const models = modelNames(draft.models)
    const options = models.map((model) => ({ title: models.length > 1 ? model : title, decision: { type: 'activate_model' as const, model } }))
    return { title, text, options }
  }
  return { title, text, options: [{ title, decision: draft.kind === 'role' ? roleDecision(draft.role) : policyDecision(draft) }] }
}

export function modelNames(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line, at, all) => line !== '' && all.indexOf(line) === at)
}

function roleDecision({ what, member, role, days }: RoleForm): Decision {
  if (what === 'end') return { type: 'end_role', member, role }
  return { type: 'grant_role', member, role, ...(days > 0 ? { days } : {}) }
}

function policyDecision({ policy, basedOn }: Draft): Decision {
  return { type: 'set_policy', policy: tidy(policy), based_on: basedOn }
}
