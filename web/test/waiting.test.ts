import { afterEach, describe, expect, it } from 'vitest'
import { setLanguage } from '../src/i18n'
import { roughTimeWords, timeWords, waitWords, worthSaying } from '../src/waiting'

afterEach(() => setLanguage('en'))

describe('waiting in words', () => {
  it.each([
    ['en', 1, 20, 'You are next in line; about 20 seconds.'],
    ['en', 2, 22, 'You are 2nd in line; about 20 seconds.'],
    ['en', 3, 90, 'You are 3rd in line; about 2 minutes.'],
    ['en', 11, 60, 'You are 11th in line; about 1 minute.'],
    ['en', 21, 5400, 'You are 21st in line; about 2 hours.'],
    ['en', 4, 1, 'You are 4th in line; any moment now.'],
    ['en', 4, null, 'You are 4th in line. Many people are asking.'],
    ['es', 3, 20, 'Tu turno es el 3.º; alrededor de 20 segundos.'],
    ['sw', 3, 20, 'Zamu yako ni ya 3; takriban sekunde 20.'],
  ] as const)('%s: place %s in %s s', async (code, place, seconds, expected) => {
    await setLanguage(code)
    expect(waitWords({ place, until: seconds === null ? null : 5_000 + seconds * 1000 }, 5_000)).toBe(expected)
  })

  it('has the six forms of Arabic', async () => {
    await setLanguage('ar')
    expect([1, 2, 3, 11, 40].map(timeWords)).toEqual(['ثانية واحدة', 'ثانيتين', expect.stringMatching(/ثوانٍ$/), expect.stringMatching(/ثانية$/), expect.stringMatching(/ثانية$/)])
    expect([60, 120, 180, 660].map(timeWords)).toEqual(['دقيقة واحدة', 'دقيقتين', expect.stringMatching(/دقائق$/), expect.stringMatching(/دقيقة$/)])
    expect(waitWords({ place: 3, until: 20_000 }, 0)).toMatch(/^دورك رقم .؛ بعد حوالي/)
  })

  it('guesses in fives, counts down by one', () => {
    expect([1, 7, 8, 52, 55, 95].map(roughTimeWords)).toEqual(['5 seconds', '5 seconds', '10 seconds', '50 seconds', '1 minute', '2 minutes'])
    expect([0, 1, 59, 61, 3601].map(timeWords)).toEqual(['1 second', '1 second', '59 seconds', '2 minutes', '2 hours'])
  })
})

describe('a place is said aloud', () => {
  it('at first, then now and then, and when it is the next', () => {
    expect(worthSaying(null, 9, 0)).toBe(true)
    expect(worthSaying({ place: 9, at: 0 }, 9, 60_000)).toBe(false)
    expect(worthSaying({ place: 9, at: 0 }, 8, 2_000)).toBe(false)
    expect(worthSaying({ place: 9, at: 0 }, 6, 15_000)).toBe(true)
    expect(worthSaying({ place: 2, at: 0 }, 1, 2_000)).toBe(true)
  })
})
