// Words in the member's language: one JSON a language and part, plural forms by Intl, nothing else. English comes with
// the app (it is also what a language still lacking a word shows), the others are loaded when chosen. The words of the
// community's pages and those of the library's are parts of their own, loaded with the first of those pages.

import { computed, ref } from 'vue'
import { readItem, writeItem } from '../storage'
import en from './app.en.json'
import type communityEn from './community.en.json'
import type libraryEn from './library.en.json'

export type Key = keyof typeof en | keyof typeof communityEn | keyof typeof libraryEn
/** A sentence, or one for each plural form of the language (chosen by the parameter `n`). */
type Entry = string | Partial<Record<Intl.LDMLPluralRule, string>>
type Words = Partial<Record<Key, Entry>>
type Loader = () => Promise<Words>

const LOADERS: Record<string, Loader> = {
  en: () => Promise.resolve(en),
  es: () => import('./app.es.json').then((found) => found.default),
  sw: () => import('./app.sw.json').then((found) => found.default),
  ar: () => import('./app.ar.json').then((found) => found.default),
}

/** A language that is not here shows these pages in English. */
const PARTS = {
  community: {
    en: () => import('./community.en.json').then((found) => found.default),
    es: () => import('./community.es.json').then((found) => found.default),
    ar: () => import('./community.ar.json').then((found) => found.default),
  },
  library: {
    en: () => import('./library.en.json').then((found) => found.default),
    es: () => import('./library.es.json').then((found) => found.default),
    ar: () => import('./library.ar.json').then((found) => found.default),
  },
} satisfies Record<string, Record<string, Loader> & { en: Loader }>
type Part = keyof typeof PARTS

/** The languages, each by the name that its speakers give it. */
export const LANGUAGES: readonly { code: string; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'es', name: 'Español' },
  { code: 'sw', name: 'Kiswahili' },
  { code: 'ar', name: 'العربية' },
]
const RTL = new Set(['ar'])

const words = ref<Words>(en)
const english = ref<Words>(en)
const loaded = new Set<Part>()
export const language = ref('en')
export const direction = computed(() => (RTL.has(language.value) ? 'rtl' : 'ltr'))

/** The first of the wanted languages that we have ("sw-KE" counts as "sw"). */
export function bestLanguage(wanted: readonly (string | null | undefined)[]): string {
  for (const tag of wanted) {
    const code = tag?.toLowerCase().split(/[-_]/)[0]
    if (code && code in LOADERS) return code
  }
  return 'en'
}

/** Where a choice waits that the box has not heard of yet. */
const PENDING = 'language'

/** A choice just now by a link, or one that the box has not heard of; then the page as the box wrote it; then the browser. */
export function initialLanguage(): string {
  const link = new URLSearchParams(location.search).get('lang')
  return bestLanguage([link, readItem(PENDING), document.documentElement.lang, ...navigator.languages])
}

/**
 * Tells the box the choice by the link that its plain pages use, so that it writes every later page in that language
 * (it keeps the choice in a cookie that scripts cannot see). Out of reach, the choice waits on the device.
 */
export async function rememberLanguage(code = readItem(PENDING)): Promise<void> {
  if (code === null) return
  writeItem(PENDING, code)
  const response = await fetch(`/?lang=${code}`, { method: 'HEAD', credentials: 'same-origin' }).catch(() => null)
  if (response?.ok && readItem(PENDING) === code) writeItem(PENDING, null)
}

/** Loads the words and turns the page. When they cannot be had (the box is away) the language stays as it is. */
export async function setLanguage(code: string): Promise<boolean> {
  try {
    words.value = await wordsOf(code)
  } catch {
    return false
  }
  language.value = code
  document.documentElement.lang = code
  document.documentElement.dir = direction.value
  return true
}

async function wordsOf(code: string): Promise<Words> {
  const parts = [...loaded].flatMap((part) => (PARTS[part] as Record<string, Loader>)[code] ?? [])
  const [app, ...more] = await Promise.all([LOADERS[code]!(), ...parts.map((load) => load())])
  return Object.assign({}, app, ...more) as Words
}

/** Loads a part's words: in English, which fills gaps, and in the language that is spoken. */
async function loadPart(part: Part): Promise<void> {
  if (loaded.has(part)) return
  const words = await PARTS[part].en()
  english.value = { ...english.value, ...words }
  loaded.add(part)
  await setLanguage(language.value)
}

export const loadCommunityWords = (): Promise<void> => loadPart('community')
export const loadLibraryWords = (): Promise<void> => loadPart('library')

/** Fills `{name}` in a sentence; numbers are written as the language writes them. */
export function fill(sentence: string, params: Record<string, string | number>, locale: string): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name]
    if (value === undefined) return whole
    return typeof value === 'number' ? new Intl.NumberFormat(locale).format(value) : value
  })
}

/** `type` says what `n` counts: how many ("3 seconds"), or which one ("the 3rd"). */
export function t(key: Key, params: Record<string, string | number> = {}, type: Intl.PluralRuleType = 'cardinal'): string {
  const entry: Entry = words.value[key] ?? english.value[key] ?? ''
  if (typeof entry === 'string') return fill(entry, params, language.value)
  const n = Number(params.n ?? 0)
  // Many languages have no plural form of their own for nothing; a sentence for it reads better than "0 …".
  const form = n === 0 && entry.zero !== undefined ? 'zero' : new Intl.PluralRules(language.value, { type }).select(n)
  return fill(entry[form] ?? entry.other ?? '', params, language.value)
}

/** Whether there are words for this at all: what a newer box names may be unknown here. */
export function hasWords(key: string): key is Key {
  return key in english.value
}

/** "14:05" today, a weekday within a week, else the date. */
export function shortTime(at: number, now: number): string {
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000)
  const form: Intl.DateTimeFormatOptions =
    days <= 0 ? { hour: 'numeric', minute: '2-digit' } : days < 7 ? { weekday: 'long' } : { day: 'numeric', month: 'short' }
  return new Intl.DateTimeFormat(language.value, form).format(at)
}

/** Day and time in full. */
export function fullTime(at: number): string {
  const form: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short', year: 'numeric', hour: 'numeric', minute: '2-digit' }
  return new Intl.DateTimeFormat(language.value, form).format(at)
}

/** "in 3 hours", "2 days ago": the largest unit of which there is at least one and a half. */
export function relativeTime(at: number, now: number): string {
  const seconds = (at - now) / 1000
  const [unit, length] = (
    [
      ['day', 86_400],
      ['hour', 3600],
      ['minute', 60],
    ] as const
  ).find(([, length]) => Math.abs(seconds) >= 1.5 * length) ?? (['minute', 60] as const)
  return new Intl.RelativeTimeFormat(language.value, { numeric: 'auto' }).format(Math.round(seconds / length), unit)
}
