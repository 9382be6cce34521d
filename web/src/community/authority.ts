// What something that is in force rests on, in words.

import { t } from '../i18n'
import type { Authority } from './api'

/** The proposal behind it, or null. */
export function proposalIn(authority: Authority): string | null {
  return authority.by === 'proposal' ? authority.proposal : null
}

export function authorityWords(authority: Authority): string {
  switch (authority.by) {
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
  }
}
