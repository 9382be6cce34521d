import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { ALL_WORDINGS } from '../src/errors'
import { bestLanguage, fill, initialLanguage, language, LANGUAGES, rememberLanguage, setLanguage, t, type Key } from '../src/i18n'
import ar from '../src/i18n/app.ar.json'
import en from '../src/i18n/app.en.json'
import es from '../src/i18n/app.es.json'
import sw from '../src/i18n/app.sw.json'

type Entry = string | Record<string, string>
const ALL: Record<string, Record<string, Entry>> = { en, es, sw, ar }
const english = ALL.en!

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
    expect(Object.keys(ALL).sort()).toEqual(LANGUAGES.map((one) => one.code).sort())
  })

  it.each(Object.keys(ALL))('are complete in %s', (code) => {
    expect(Object.keys(ALL[code]!).sort()).toEqual(Object.keys(english).sort())
    for (const [key, entry] of Object.entries(ALL[code]!)) {
      for (const sentence of forms(entry)) expect(sentence.trim(), key).not.toBe('')
    }
  })

  it.each(Object.keys(ALL))('have every plural form that %s has', (code) => {
    for (const [key, entry] of Object.entries(ALL[code]!)) {
      const type = ORDINALS.includes(key) ? 'ordinal' : 'cardinal'
      const needed = new Intl.PluralRules(code, { type }).resolvedOptions().pluralCategories
      expect(typeof entry, key).toBe(typeof english[key])
      if (typeof entry !== 'string') expect(Object.keys(entry), key).toEqual(expect.arrayContaining(needed))
    }
  })

  it.each(Object.keys(ALL))('fill in the same things in %s as in English', (code) => {
    for (const [key, entry] of Object.entries(ALL[code]!)) {
      const allowed = new Set(forms(english[key]!).flatMap(params))
      for (const sentence of forms(entry)) for (const one of params(sentence)) expect(allowed, key).toContain(one)
      if (typeof entry === 'string') expect(params(entry), key).toEqual(params(english[key] as string))
    }
  })

  it('are all used: no sentence is translated four times for nothing', () => {
    const text = source()
    const composed = /^(box|banner|status|about)\./
    const unused = Object.keys(english).filter((key) => !text.includes(`'${key}'`) && !composed.test(key))
    expect(unused).toEqual([])
  })

  it('name what happened and what to do for every way to fail', () => {
    for (const { what, todo } of ALL_WORDINGS) {
      for (const code of Object.keys(ALL)) {
        expect(ALL[code], code).toHaveProperty([what])
        expect(ALL[code], code).toHaveProperty([todo])
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
