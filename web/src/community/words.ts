// Decisions and everything else that the box names, in plain words.

import { fullTime, hasWords, t, type Key } from '../i18n'
import { timeWords } from '../waiting'
import type { Permission, ProposalState, Role } from './api'
import type { Decision, SanctionStep, Topic } from './decisions'
import type { Method, MethodRule, Verdict } from './voting'

/** The words for what the box names; its own name where a newer box names what we do not know. */
function named(prefix: string, name: string): string {
  const key = `${prefix}.${name}`
  return hasWords(key) ? t(key) : name.replace(/_/g, ' ')
}

export const roleWords = (role: Role): string => named('role', role)
export const permissionWords = (permission: Permission): string => named('permission', permission)
export const topicName = (topic: Topic): string => named('topic', topic)
export const stateWords = (state: ProposalState): string => named('state', state)
export const caseState = (state: string): string => named('case-state', state)
export const heldState = (state: string): string => named('held-state', state)
export const aboutWords = (about: string): string => named('about-case', about)
export const kindWords = (kind: string): string => named('entry', kind)
export const powerWords = (power: string): string => named('power', power)
export const modelWords = (model: string): string => named('governance', model)

export const methodName = (method: Method): string => named('method', method.name)

/** How a method decides, in a sentence. */
export function methodWords(method: Method): string {
  if (method.name === 'super_majority') return t('how.super_majority', { n: method.percent })
  if (method.name === 'score') return t('how.score', { n: method.max })
  return named('how', method.name)
}

/** A rule as sentences. */
export function ruleWords(rule: MethodRule): string[] {
  const lines = [methodWords(rule.method), rule.secret ? t('rule.secret') : t('rule.open')]
  if (rule.quorum_percent) lines.push(t('rule.quorum', { n: rule.quorum_percent }))
  if (rule.discussion_hours > 0) lines.push(t('rule.discussion', { time: hoursWords(rule.discussion_hours) }))
  lines.push(
    rule.min_open_hours > 0
      ? t('rule.openBetween', { min: hoursWords(rule.min_open_hours), max: hoursWords(rule.max_open_hours) })
      : t('rule.openUntil', { max: hoursWords(rule.max_open_hours) }),
  )
  if (rule.review_days) lines.push(t('rule.review', { time: daysWords(rule.review_days) }))
  return lines
}

export const hoursWords = (hours: number): string => (hours >= 48 && hours % 24 === 0 ? daysWords(hours / 24) : timeWords(hours * 3600))
export const daysWords = (days: number): string => t('time.days', { n: days })

/** What a member is called; the bare id of one who is gone. */
export const nameOf = (id: string, names: ReadonlyMap<string, string>): string => names.get(id) ?? id

/** A decision in a sentence. Policies and constitutions are told part by part elsewhere. */
export function decisionWords(decision: Decision, names: ReadonlyMap<string, string>): string {
  switch (decision.type) {
    case 'set_policy':
      return t('dec.set_policy')
    case 'change_constitution':
      return t('dec.change_constitution')
    case 'activate_model':
      return t('dec.activate_model', { name: decision.model })
    case 'activate_adapter':
      return t('dec.activate_adapter', { name: decision.adapter })
    case 'roll_back_adapter':
      return t('dec.roll_back_adapter')
    case 'approve_source':
      return t('dec.approve_source', { name: decision.source, use: named('use', decision.use) })
    case 'withdraw_source':
      return t('dec.withdraw_source', { name: decision.source, use: named('use', decision.use) })
    case 'join_training':
      return t('dec.join_training', { name: decision.run, n: decision.max_epsilon_milli / 1000 })
    case 'federate':
      return t('dec.federate', { name: decision.name, kinds: decision.kinds.map((kind) => named('sharing', kind)).join(', ') })
    case 'leave_federation':
      return t('dec.leave_federation', { name: decision.community })
    case 'set_sharing':
      return decision.allowed
        ? t('dec.share', { kind: named('sharing', decision.kind) })
        : t('dec.shareNot', { kind: named('sharing', decision.kind) })
    case 'install_update':
      return t('dec.install_update', { name: decision.version })
    case 'grant_role': {
      const params = { name: nameOf(decision.member, names), role: roleWords(decision.role) }
      return decision.days ? t('dec.grant_role_days', { ...params, time: daysWords(decision.days) }) : t('dec.grant_role', params)
    }
    case 'end_role':
      return t('dec.end_role', { name: nameOf(decision.member, names), role: roleWords(decision.role) })
    case 'sanction':
      return t('dec.sanction', { name: nameOf(decision.member, names), step: sanctionWords(decision.step) })
    case 'lift_sanction':
      return t('dec.lift_sanction', { name: nameOf(decision.member, names) })
    case 'break_glass':
      return t('dec.break_glass', { reason: decision.reason, time: hoursWords(decision.hours) })
    case 'use_emergency':
      return t('dec.use_emergency', { power: powerWords(decision.power), when: fullTime(decision.until * 1000) })
    case 'ratify_emergency':
      return t('dec.ratify_emergency')
  }
}

export function sanctionWords(step: SanctionStep): string {
  switch (step.step) {
    case 'warning':
      return t('sanction.warning')
    case 'hold':
      return t('sanction.hold', { time: hoursWords(step.hours) })
    case 'mute':
      return t('sanction.mute', { time: daysWords(step.days) })
    case 'suspend':
      return t('sanction.suspend', { time: daysWords(step.days) })
  }
}

export function verdictWords(verdict: Verdict, options: readonly { title: string }[]): string {
  if (verdict.verdict === 'sensed') return t('result.sensed')
  if (verdict.verdict === 'rejected') return t(`result.${verdict.reason}` as Key)
  const winner = options.length > 1 ? options[verdict.option]?.title : undefined
  return winner ? t('result.winner', { title: winner }) : t('result.accepted')
}
