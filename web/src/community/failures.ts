// Why the box said no, in the member's words where we have some for its code, else in its own.

import { hasWords, t } from '../i18n'
import { ApiFailure } from './api'

export function failureWords(cause: unknown): string {
  if (!(cause instanceof ApiFailure)) return t('err.other')
  const key = `err.${cause.code}`
  if (hasWords(key)) return t(key)
  return cause.message || t('err.other')
}
