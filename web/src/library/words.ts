// What the library names, in plain words.

import { language, t, type Key } from '../i18n'
import type { Audience, Consent, Shelf, Use } from './api'

const LEVELS = { local_only: 0, federation_ok: 1, commons_ok: 2 } as const
/** How far a text has to be allowed to go for a use. */
const FARTHEST: Record<Use, number> = { search: 0, grounding: 0, training: 0, federation: 1, commons: 2 }
const USES: readonly Use[] = ['search', 'grounding', 'training', 'federation', 'commons']

/** Whether this use is allowed: it was agreed to, and the text may go as far as it takes it. */
export function allows({ uses, level }: Consent, use: Use): boolean {
  return uses.includes(use) && FARTHEST[use] <= LEVELS[level]
}

/** What may and may not be done with it, a sentence each. */
export function consentWords(consent: Consent): { allowed: string[]; not: string[] } {
  const words = (use: Use): string => t(`consent.${use}` as Key)
  return {
    allowed: USES.filter((use) => allows(consent, use)).map(words),
    not: USES.filter((use) => !allows(consent, use)).map(words),
  }
}

export const audienceWords = (audience: Audience): string => t(`audience.${audience}` as Key)

/** How answers stand to a collection. */
export type Standing = 'answers' | 'not_approved' | 'not_agreed'

export function standing(shelf: Shelf): Standing {
  if (!allows(shelf.consent, 'grounding')) return 'not_agreed'
  return shelf.grounds ? 'answers' : 'not_approved'
}

/** What a language is called, in the member's own. */
export function languageName(tag: string | null | undefined): string {
  if (!tag) return ''
  try {
    return new Intl.DisplayNames([language.value], { type: 'language' }).of(tag) ?? tag
  } catch {
    return tag
  }
}

const SIZES: readonly [number, Key][] = [
  [1_000_000, 'size.mb'],
  [1_000, 'size.kb'],
]

export function sizeWords(bytes: number): string {
  const [unit, key] = SIZES.find(([unit]) => bytes >= unit) ?? [1_000, 'size.kb' as Key]
  const amount = bytes / unit
  return t(key, { n: amount < 10 ? Math.round(amount * 10) / 10 : Math.round(amount) })
}
