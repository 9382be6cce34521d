// The same page on a phone without JavaScript: a form that is sent and a page that fills itself.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ANSWER_MS, assertAccessible, assertFitsAFinger, BOX, launch, screenshot, visit } from './lib/box.mjs'

let browser
before(async () => (browser = await launch()))
after(() => browser.close())

const WITHOUT = { javaScriptEnabled: false }

async function askPlainly(page, question) {
  const form = page.locator('form:has(textarea[name="question"])')
  await form.locator('textarea').fill(question)
  await form.locator('button').click({ timeout: ANSWER_MS })
}

/** What one side said, in the order of the page. */
async function said(page, role) {
  const sections = await page.locator(`main section.${role}`).all()
  return Promise.all(sections.map(async (section) => (await section.locator('p').allInnerTexts()).join('\n').trim()))
}

test('without JavaScript a question is answered', async () => {
  await visit(browser, WITHOUT, async (page) => {
    await screenshot(page, 'plain-empty')
    page.setDefaultNavigationTimeout(ANSWER_MS)
    await askPlainly(page, 'Say hello in one short sentence.')
    await page.waitForLoadState('load', { timeout: ANSWER_MS })
    assert.equal((await said(page, 'user')).length, 1)
    assert.notEqual((await said(page, 'assistant'))[0], '')
    await screenshot(page, 'plain-answer')

    await askPlainly(page, 'Say it again in other words.')
    await page.waitForLoadState('load', { timeout: ANSWER_MS })
    assert.deepEqual(await said(page, 'user'), ['Say hello in one short sentence.', 'Say it again in other words.'])
    assert.equal((await said(page, 'assistant')).filter((words) => words !== '').length, 2, 'the thread is kept')
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
    await page.locator('form textarea[name="question"]').waitFor()
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
