// What something that is in force rests on (crates/governance: enactment.rs), in words.

import { t } from '../i18n'

interface Authority {
  by?: string
  proposal?: string
}

/** The proposal behind it, or null. */
export function proposalIn(authority: unknown): string | null {
  const found = authority as Authority | null
  return found?.by === 'proposal' && typeof found.proposal === 'string' ? found.proposal : null
}

export function authorityWords(authority: unknown): string {
  switch ((authority as Authority | null)?.by) {
    case 'proposal':
      return t('by.proposal')
    case 'founding':
      return t('by.founding')
    case 'moderation':
      return t('by.moderation')
    case 'mediation':
      return t('by.mediation')
    case 'emergency':
      return t('by.emergency')
    default:
      return ''
  }
}
