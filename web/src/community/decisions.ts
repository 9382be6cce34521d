// What can be decided, as the box writes it down (crates/governance: decision.rs, policy.rs, constitution.rs).

import type { Role } from './api'
import type { MethodRule } from './voting'

export const TOPICS = ['behaviour', 'models', 'sources', 'people', 'neighbours', 'operation', 'constitution', 'other'] as const
export type Topic = (typeof TOPICS)[number]

export interface TopicRule {
  name: string
  words: string[]
  action: 'decline' | 'hand_over'
  message: string
}
export interface Disclaimer {
  words: string[]
  text: string
}
export type Pattern =
  | { kind: 'words'; words: string[] }
  | { kind: 'regex'; expression: string }
  | { kind: 'semantic'; examples: string[]; nearness: number }
export interface ModerationRule {
  name: string
  pattern: Pattern
  on: 'question' | 'answer' | 'both'
  action: 'allow' | 'warn' | 'hold' | 'refuse'
}
export interface QuotaPolicy {
  members_per_hour: number | null
  guests_per_hour: number | null
  guest_weight_percent: number | null
  program_weight_percent: Record<string, number>
  urgent: boolean
}
export interface Policy {
  persona: string
  style: string
  values: string
  languages: string[]
  closing: string
  topics: TopicRule[]
  disclaimers: Disclaimer[]
  max_answer_tokens: number | null
  sources: string[] | null
  moderation: ModerationRule[]
  quotas: QuotaPolicy
  keeping: { conversations: boolean; conversation_days: number; moderation_days: number }
  sharing: string[]
  training: boolean
  sample_questions: string[]
}

export type EmergencyPower = 'pause_answers' | 'close_to_guests' | 'crisis_priority'

export interface Constitution {
  governance_model: 'consensus' | 'delegated' | 'hybrid'
  rules: Partial<Record<Topic, MethodRule>>
  otherwise: MethodRule
  joining: { open: boolean; members_invite: boolean; guests_ask: boolean }
  delegation: { max_length: number; max_votes: number | null } | null
  emergency: { max_hours: number; ratify_hours: number; stewards: number; powers: EmergencyPower[] } | null
}

export type SanctionStep =
  | { step: 'warning' }
  | { step: 'hold'; hours: number }
  | { step: 'mute'; days: number }
  | { step: 'suspend'; days: number }

export type Decision =
  | { type: 'set_policy'; policy: Policy; based_on: number }
  | { type: 'activate_model'; model: string }
  | { type: 'activate_adapter'; adapter: string }
  | { type: 'roll_back_adapter' }
  | { type: 'approve_source' | 'withdraw_source'; source: string; use: 'grounding' | 'training' | 'sharing' }
  | { type: 'join_training'; run: string; max_epsilon_milli: number }
  | { type: 'federate'; community: string; name: string; kinds: string[] }
  | { type: 'leave_federation'; community: string }
  | { type: 'set_sharing'; kind: string; allowed: boolean }
  | { type: 'install_update'; version: string; digest: string }
  | { type: 'grant_role'; member: string; role: Role; days?: number | null }
  | { type: 'end_role'; member: string; role: Role }
  | { type: 'sanction'; member: string; step: SanctionStep; case?: string | null }
  | { type: 'lift_sanction'; member: string }
  | { type: 'change_constitution'; constitution: Constitution; based_on: number }
  | { type: 'break_glass'; reason: string; hours: number }
  | { type: 'ratify_emergency'; emergency: string }
