// A policy in plain words, part by part, and what a new one would change. Values in, words out.

import { language, t } from '../i18n'
import type { Disclaimer, ModerationRule, Policy, QuotaPolicy, TopicRule } from './decisions'

/** The parts of a policy, in the order in which they are read. */
export const PARTS = [
  'persona',
  'style',
  'values',
  'languages',
  'closing',
  'topics',
  'disclaimers',
  'length',
  'moderation',
  'quotas',
  'keeping',
  'sources',
  'sharing',
  'samples',
] as const
export type Part = (typeof PARTS)[number]

export interface PartWords {
  part: Part
  lines: string[]
}

/** What changes in one part: lines that go, and lines that come. */
export interface PartChange {
  part: Part
  before: string[]
  after: string[]
}

/** Every part that says something. */
export function policyWords(policy: Policy): PartWords[] {
  return PARTS.map((part) => ({ part, lines: partLines(policy, part) })).filter(({ lines }) => lines.length > 0)
}

export function policyChanges(before: Policy, after: Policy): PartChange[] {
  return PARTS.map((part) => {
    const old = partLines(before, part)
    const fresh = partLines(after, part)
    return {
      part,
      before: old.filter((line) => !fresh.includes(line)),
      after: fresh.filter((line) => !old.includes(line)),
    }
  }).filter((change) => change.before.length + change.after.length > 0)
}

function partLines(policy: Policy, part: Part): string[] {
  switch (part) {
    case 'persona':
    case 'style':
    case 'values':
      return sentence(policy[part])
    case 'closing':
      return policy.closing.trim() === '' ? [] : [t('pol.closing', { text: policy.closing })]
    case 'languages':
      return policy.languages.length === 0 ? [] : [listWords(policy.languages.map(languageName))]
    case 'topics':
      return policy.topics.map(topicWords)
    case 'disclaimers':
      return policy.disclaimers.map(disclaimerWords)
    case 'length':
      return policy.max_answer_tokens ? [t('pol.length', { n: policy.max_answer_tokens })] : []
    case 'moderation':
      return policy.moderation.map(moderationWords)
    case 'quotas':
      return quotaLines(policy.quotas)
    case 'keeping':
      return [
        policy.keeping.conversations ? t('pol.keeps', { n: policy.keeping.conversation_days }) : t('pol.keepsNot'),
        policy.keeping.question_days > 0 ? t('pol.keepsQuestions', { n: policy.keeping.question_days }) : t('pol.keepsNoQuestions'),
      ]
    case 'sources':
      return policy.sources ? [policy.sources.length === 0 ? t('pol.noSources') : t('pol.sources', { list: listWords(policy.sources) })] : []
    case 'sharing':
      return [
        ...policy.sharing.map((kind) => t('pol.shares', { kind: sharingWords(kind) })),
        ...(policy.training ? [t('pol.training')] : []),
      ]
    case 'samples':
      return policy.sample_questions.map((question) => t('pol.sample', { text: question }))
  }
}

const sentence = (text: string): string[] => (text.trim() === '' ? [] : [text.trim()])

export function topicWords(rule: TopicRule): string {
  const words = listWords(rule.words)
  const what = rule.action === 'decline' ? t('pol.decline', { name: rule.name, words }) : t('pol.handOver', { name: rule.name, words })
  return rule.message ? `${what} ${t('pol.says', { text: rule.message })}` : what
}

function disclaimerWords({ words, text }: Disclaimer): string {
  return words.length === 0 ? t('pol.disclaimerAlways', { text }) : t('pol.disclaimer', { text, words: listWords(words) })
}

export function moderationWords({ name, pattern, on, action }: ModerationRule): string {
  const looksFor =
    pattern.kind === 'words'
      ? listWords(pattern.words)
      : pattern.kind === 'regex'
        ? pattern.expression
        : t('pol.like', { list: listWords(pattern.examples) })
  return t('pol.moderation', { name, words: looksFor, where: sideWords(on), what: actionWords(action) })
}

export function sideWords(on: ModerationRule['on']): string {
  return on === 'question' ? t('side.question') : on === 'answer' ? t('side.answer') : t('side.both')
}

export function actionWords(action: ModerationRule['action']): string {
  switch (action) {
    case 'allow':
      return t('does.allow')
    case 'warn':
      return t('does.warn')
    case 'hold':
      return t('does.hold')
    case 'refuse':
      return t('does.refuse')
  }
}

function quotaLines(quotas: QuotaPolicy): string[] {
  const lines: string[] = []
  if (quotas.members_per_hour !== null) lines.push(t('pol.membersPerHour', { n: quotas.members_per_hour }))
  if (quotas.guests_per_hour !== null) lines.push(t('pol.guestsPerHour', { n: quotas.guests_per_hour }))
  if (quotas.guest_weight_percent !== null) lines.push(t('pol.guestWeight', { n: quotas.guest_weight_percent }))
  for (const [name, percent] of Object.entries(quotas.program_weight_percent)) lines.push(t('pol.programWeight', { name, n: percent }))
  if (quotas.urgent) lines.push(t('pol.urgent'))
  return lines
}

function sharingWords(kind: string): string {
  switch (kind) {
    case 'knowledge':
      return t('sharing.knowledge')
    case 'learning':
      return t('sharing.learning')
    case 'compute':
      return t('sharing.compute')
    case 'mutual_aid':
      return t('sharing.mutual_aid')
    default:
      return kind
  }
}

/** "a, b, c" with the quotation and the comma of the language left to the sentence around it. */
export function listWords(words: readonly string[]): string {
  return words.join(language.value === 'ar' ? '، ' : ', ')
}

/** Words as a member types them, between commas of any writing. */
export function splitWords(text: string): string[] {
  return text
    .split(/[,،、;؛\n]/)
    .map((word) => word.trim())
    .filter((word, at, all) => word !== '' && all.indexOf(word) === at)
}

function languageName(code: string): string {
  try {
    return new Intl.DisplayNames([language.value], { type: 'language' }).of(code) ?? code
  } catch {
    return code
  }
}
