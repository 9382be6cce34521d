// The same page on a phone without JavaScript: a form that is sent and a page that fills itself.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ANSWER_MS, assertAccessible, assertFitsAFinger, BOX, launch, screenshot, visit } from './lib/box.mjs'

let browser
before(async () => (browser = await launch()))
after(() => browser.close())

const WITHOUT = { javaScriptEnabled: false }

async function askPlainly(page, question) {
  await page.locator('form [name="question"]').last().fill(question)
  await page.locator('form:has([name="question"]) [type="submit"], form:has([name="question"]) button:not([type])').last().click({ timeout: ANSWER_MS })
}

test('without JavaScript a question is answered', async () => {
  await visit(browser, WITHOUT, async (page) => {
    await screenshot(page, 'plain-empty')
    page.setDefaultNavigationTimeout(ANSWER_MS)
    const before = (await page.locator('main').innerText()).length
    await askPlainly(page, 'Say hello in one short sentence.')
    await page.waitForLoadState('load', { timeout: ANSWER_MS })
    const text = await page.locator('main').innerText()
    assert.match(text, /Say hello in one short sentence\./)
    assert.ok(text.length > before, 'nothing was added to the page')
    await screenshot(page, 'plain-answer')

    await askPlainly(page, 'Say it again in other words.')
    await page.waitForLoadState('load', { timeout: ANSWER_MS })
    const thread = await page.locator('main').innerText()
    assert.match(thread, /Say hello in one short sentence\.[^]*Say it again in other words\./, 'the thread is kept')
  })
})

test('without JavaScript the answer is seen while it is written', async () => {
  const response = await fetch(`${BOX}/chat`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: new URL(BOX).origin, 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ question: 'Write a long story about a river.', history: '[]' }),
  })
  assert.equal(response.status, 200)
  const arrivals = []
  for await (const piece of response.body) {
    arrivals.push({ at: performance.now(), size: piece.length })
    if (arrivals.length > 8) break
  }
  assert.ok(arrivals.length > 4, `the page came in ${arrivals.length} pieces`)
  assert.ok(arrivals.at(-1).at - arrivals[0].at > 20, 'all pieces came at once')
})

test('the plain page fits a phone and shuts nobody out', async () => {
  // axe itself needs JavaScript: the plain page is looked at before the app arrives, by not letting it arrive.
  const prepare = (context) => context.route('**/assets/*.js', (route) => route.abort())
  await visit(browser, { app: false, prepare }, async (page) => {
    await page.locator('form [name="question"]').waitFor()
    await assertAccessible(page, 'the plain page')
    await assertFitsAFinger(page, 'the plain page')
  })
  await visit(browser, { app: false, prepare, path: '/status' }, async (page) => {
    await assertAccessible(page, 'the plain status page')
    await screenshot(page, 'plain-status')
  })
})

test('the plain page speaks the browser’s language', async () => {
  await visit(browser, { ...WITHOUT, locale: 'ar-EG' }, async (page) => {
    assert.equal(await page.locator('html').getAttribute('dir'), 'rtl')
    await screenshot(page, 'plain-arabic')
  })
})
