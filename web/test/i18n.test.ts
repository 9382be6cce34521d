import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { ALL_WORDINGS } from '../src/errors'
import {
  bestLanguage,
  fill,
  hasWords,
  initialLanguage,
  language,
  LANGUAGES,
  loadCommunityWords,
  loadLibraryWords,
  relativeTime,
  rememberLanguage,
  setLanguage,
  t,
  type Key,
} from '../src/i18n'
import ar from '../src/i18n/app.ar.json'
import en from '../src/i18n/app.en.json'
import es from '../src/i18n/app.es.json'
import sw from '../src/i18n/app.sw.json'
import communityAr from '../src/i18n/community.ar.json'
import communityEn from '../src/i18n/community.en.json'
import communityEs from '../src/i18n/community.es.json'
import libraryAr from '../src/i18n/library.ar.json'
import libraryEn from '../src/i18n/library.en.json'
import libraryEs from '../src/i18n/library.es.json'

type Entry = string | Record<string, string>
type Words = Record<string, Entry>
const APP: Record<string, Words> = { en, es, sw, ar }
/** Swahili has no words for the community's pages yet, Arabic those of the Assembly: the rest is in English. */
const COMMUNITY: Record<string, Words> = { en: communityEn, es: communityEs, ar: communityAr }
const COMPLETE_COMMUNITY = ['en', 'es']
/** Arabic has those of looking, reading, giving and asking. */
const LIBRARY: Record<string, Words> = { en: libraryEn, es: libraryEs, ar: libraryAr }
const PARTS: [string, Words, Words][] = [
  ...Object.entries(APP).map(([code, words]): [string, Words, Words] => [code, words, APP.en!]),
  ...Object.entries(COMMUNITY).map(([code, words]): [string, Words, Words] => [code, words, COMMUNITY.en!]),
  ...Object.entries(LIBRARY).map(([code, words]): [string, Words, Words] => [code, words, LIBRARY.en!]),
]

/** What says the how-manieth: these have other forms. */
const ORDINALS = ['wait.place']

const forms = (entry: Entry): string[] => (typeof entry === 'string' ? [entry] : Object.values(entry))
const params = (sentence: string): string[] => (sentence.match(/\{\w+\}/g) ?? []).sort()

/** Every source file of the app as one text. */
function source(folder = join(import.meta.dirname, '../src')): string {
  return readdirSync(folder, { withFileTypes: true })
    .map((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return source(path)
      return /\.(vue|ts)$/.test(entry.name) ? readFileSync(path, 'utf8') : ''
    })
    .join('\n')
}

describe('the words', () => {
  it('are there for each language that can be chosen', () => {
    expect(Object.keys(APP).sort()).toEqual(LANGUAGES.map((one) => one.code).sort())
  })

  it.each(Object.keys(APP))('of the app are complete in %s', (code) => {
    expect(Object.keys(APP[code]!).sort()).toEqual(Object.keys(en).sort())
  })

  it.each(COMPLETE_COMMUNITY)('of the community are complete in %s', (code) => {
    expect(Object.keys(COMMUNITY[code]!).sort()).toEqual(Object.keys(communityEn).sort())
  })

  it('of the Assembly are there in Arabic, and nothing that English does not have', () => {
    const assembly = Object.keys(communityEn).filter((key) => /^(asm|group|state|topic|method|sense|kind|sign|join)\./.test(key))
    expect(Object.keys(communityAr)).toEqual(expect.arrayContaining(assembly))
    expect(Object.keys(communityEn)).toEqual(expect.arrayContaining(Object.keys(communityAr)))
  })

  it.each(COMPLETE_COMMUNITY)('of the library are complete in %s', (code) => {
    expect(Object.keys(LIBRARY[code]!).sort()).toEqual(Object.keys(libraryEn).sort())
  })

  it('of looking and reading in the library are there in Arabic, and nothing that English does not have', () => {
    const reading = Object.keys(libraryEn).filter((key) => /^(search|consent|audience)\./.test(key))
    expect(Object.keys(libraryAr)).toEqual(expect.arrayContaining(reading))
    expect(Object.keys(libraryEn)).toEqual(expect.arrayContaining(Object.keys(libraryAr)))
  })

  it.each(PARTS)('say something in every form that %s has', (code, words, english) => {
    for (const [key, entry] of Object.entries(words)) {
      for (const sentence of forms(entry)) expect(sentence.trim(), key).not.toBe('')
      const type = ORDINALS.includes(key) ? 'ordinal' : 'cardinal'
      const needed = new Intl.PluralRules(code, { type }).resolvedOptions().pluralCategories
      expect(typeof entry, key).toBe(typeof english[key])
      if (typeof entry !== 'string') expect(Object.keys(entry), key).toEqual(expect.arrayContaining(needed))
    }
  })

  it.each(PARTS)('fill in the same things in %s as in English', (_, words, english) => {
    for (const [key, entry] of Object.entries(words)) {
      const allowed = new Set(forms(english[key]!).flatMap(params))
      for (const sentence of forms(entry)) for (const one of params(sentence)) expect(allowed, key).toContain(one)
      if (typeof entry === 'string') expect(params(entry), key).toEqual(params(english[key] as string))
    }
  })

  it('are all used: no sentence is translated four times for nothing', () => {
    const text = source()
    const composed = new RegExp(
      '^(box|banner|status|about|place|err|kit|group|state|topic|method|how|part|kind|suggest|form|result|start|use|sharing|role|' +
        'permission|governance|power|about-case|case-state|held-state|entry|why\\.action|sense|consent|audience|level|version|trace|size)\\.',
    )
    const unused = [...Object.keys(en), ...Object.keys(communityEn), ...Object.keys(libraryEn)].filter((key) => !text.includes(`'${key}'`) && !composed.test(key))
    expect(unused).toEqual([])
  })

  it('name what happened and what to do for every way to fail', () => {
    for (const { what, todo } of ALL_WORDINGS) {
      for (const code of Object.keys(APP)) {
        expect(APP[code], code).toHaveProperty([what])
        expect(APP[code], code).toHaveProperty([todo])
      }
    }
  })
})

describe('a sentence', () => {
  it('is filled, and leaves alone what it was not given', () => {
    expect(fill('{a} and {b}', { a: 'x' }, 'en')).toBe('x and {b}')
  })

  it('writes numbers as the language does', () => {
    expect(fill('{n}', { n: 1234567 }, 'es')).toBe('1.234.567')
  })

  it.each([
    ['en', 0, 'No conversations are kept here.'],
    ['en', 1, 'One conversation is kept here.'],
    ['en', 2, '2 conversations are kept here.'],
    ['ar', 2, 'محادثتان محفوظتان هنا.'],
    ['ar', 11, /محادثة محفوظة/],
  ] as [string, number, string | RegExp][])('takes its plural form in %s for %i', async (code, n, expected) => {
    await setLanguage(code)
    expect(t('status.kept' as Key, { n })).toMatch(expected)
  })
})

describe('the words of the community', () => {
  it('come with its first page, fall back to English, and follow the language', async () => {
    await setLanguage('sw')
    expect(hasWords('asm.new')).toBe(false)
    await loadCommunityWords()
    expect(hasWords('asm.new')).toBe(true)
    expect(t('asm.new')).toBe('Propose')
    await setLanguage('ar')
    expect(t('asm.new')).toBe('اقترح')
    expect(t('shares.print')).toBe('Print')
    await setLanguage('es')
    expect(t('shares.print')).toBe('Imprimir')
  })
})

describe('the words of the library', () => {
  it('come beside those of the community, and both follow the language', async () => {
    await setLanguage('es')
    await loadCommunityWords()
    await loadLibraryWords()
    expect([t('search.nothing'), t('shares.print')]).toEqual(['No se halló nada.', 'Imprimir'])
    await setLanguage('sw')
    expect(t('search.nothing')).toBe('Nothing was found.')
    expect(t('place.library')).toBe('Maktaba')
  })
})

describe('a moment', () => {
  it.each([
    [3 * 86_400, 'in 3 days'],
    [36 * 3600, 'in 2 days'],
    [35 * 3600, 'in 35 hours'],
    [-2 * 3600, '2 hours ago'],
    [90, 'in 2 minutes'],
    [5, 'this minute'],
  ])('%i seconds away is %s', async (seconds, words) => {
    await setLanguage('en')
    expect(relativeTime(1_790_000_000_000 + seconds * 1000, 1_790_000_000_000)).toBe(words)
  })
})

describe('the language', () => {
  it('is the first wanted one that we have', () => {
    expect(bestLanguage([null, 'de-DE', 'SW-ke', 'es'])).toBe('sw')
    expect(bestLanguage(['de', ''])).toBe('en')
  })

  it('is as the box wrote the page, unless a choice waits that the box has not heard of', async () => {
    document.documentElement.lang = 'es'
    expect(initialLanguage()).toBe('es')
    const asked: string[] = []
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('out of reach')))
    await rememberLanguage('sw')
    expect(initialLanguage()).toBe('sw')
    vi.stubGlobal('fetch', (url: string) => {
      asked.push(url)
      return Promise.resolve(new Response())
    })
    await rememberLanguage()
    expect(asked).toEqual(['/?lang=sw'])
    expect(initialLanguage()).toBe('es')
    vi.unstubAllGlobals()
  })

  it('turns the page around for Arabic and back', async () => {
    await setLanguage('ar')
    expect(document.documentElement).toMatchObject({ lang: 'ar', dir: 'rtl' })
    await setLanguage('sw')
    expect(document.documentElement).toMatchObject({ lang: 'sw', dir: 'ltr' })
    expect(language.value).toBe('sw')
  })
})
