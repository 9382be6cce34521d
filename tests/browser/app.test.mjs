// The app on a basic phone, against a real box with a real model.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { answerBegins, answerEnds, appReady, ask, assertAccessible, assertFitsAFinger, BOX, launch, screenshot, visit } from './lib/box.mjs'

let browser
before(async () => (browser = await launch()))
after(() => browser.close())

const LONG = 'Write a long story about a village, a river and a tree. Tell it in many sentences.'
const SHORT = 'Say hello in one short sentence.'

test('a question is answered, and the answer is seen while it is written', async () => {
  await visit(browser, {}, async (page) => {
    await screenshot(page, 'phone-empty')
    await ask(page, LONG)
    await answerBegins(page)
    const sizes = new Set()
    const busy = page.locator('.answer[aria-busy="true"]')
    while ((await busy.count()) > 0 && sizes.size < 4) {
      sizes.add((await page.locator('.answer .markdown').innerText()).length)
      await page.waitForTimeout(60)
    }
    assert.ok(sizes.size >= 3, `the answer did not grow on the page: ${[...sizes]}`)
    await screenshot(page, 'phone-streaming')
    await page.getByRole('button', { name: 'Stop' }).click({ timeout: 5_000 }).catch(() => undefined)
    await page.locator('.answer[aria-busy="true"]').waitFor({ state: 'detached' })
    await assertFitsAFinger(page, 'a conversation')
  })
})

test('an answer ends by itself, and a second question keeps the thread', async () => {
  await visit(browser, {}, async (page) => {
    await ask(page, SHORT)
    assert.notEqual(await answerEnds(page), '')
    await ask(page, 'Say it in other words.')
    assert.notEqual(await answerEnds(page), '')
    assert.equal(await page.locator('.question').count(), 2)
    await screenshot(page, 'phone-answer')
    await assertAccessible(page, 'a conversation')
  })
})

test('Stop stops at once, keeps what was written, and the box writes no further', async () => {
  await visit(browser, {}, async (page) => {
    await ask(page, LONG)
    await answerBegins(page)
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByText('You stopped this answer.').waitFor({ timeout: 2_000 })
    const words = await page.locator('.answer .markdown').innerText()
    await page.waitForTimeout(1_000)
    assert.equal(await page.locator('.answer .markdown').innerText(), words)
    await page.getByRole('button', { name: 'Ask', exact: true }).waitFor()
    await screenshot(page, 'phone-stopped')
  })
})

test('an answer can be had again, and a question edited and asked again', async () => {
  await visit(browser, {}, async (page) => {
    await ask(page, SHORT)
    await answerEnds(page)
    await page.getByRole('button', { name: 'Answer again' }).click()
    await page.locator('.answer').waitFor()
    assert.notEqual(await answerEnds(page), '')
    assert.equal(await page.locator('.answer').count(), 1)

    await page.getByRole('button', { name: 'Edit' }).click()
    await page.getByRole('textbox', { name: 'Change your question' }).fill('Say good night in one short sentence.')
    await page.getByRole('button', { name: 'Ask again' }).click()
    assert.notEqual(await answerEnds(page), '')
    assert.equal((await page.locator('.question-text').innerText()).trim(), 'Say good night in one short sentence.')
    assert.equal(await page.locator('.question').count(), 1)
  })
})

for (const [name, prepare] of [
  ['with the clipboard of a secure page', undefined],
  [
    'over plain http, where there is no clipboard',
    (context) =>
      context.addInitScript(() => {
        Object.defineProperty(window, 'isSecureContext', { value: false })
        Object.defineProperty(navigator, 'clipboard', { value: undefined })
      }),
  ],
]) {
  test(`an answer is copied ${name}`, async () => {
    await visit(browser, { prepare }, async (page) => {
      await ask(page, SHORT)
      const words = await answerEnds(page)
      await page.locator('.answer').getByRole('button', { name: 'Copy' }).click()
      await page.getByText('Copied').waitFor()
      const field = page.getByRole('textbox', { name: 'Your question' })
      await field.focus()
      await page.keyboard.press('Control+V')
      // What is copied is the model's own text, so its marks are in it and not on the page.
      const letters = (text) => text.replace(/[^\p{L}\p{N}]/gu, '')
      assert.equal(letters(await field.inputValue()).slice(0, 40), letters(words).slice(0, 40))
    })
  })
}

test('conversations are there after a reload, can be renamed, deleted and brought back', async () => {
  await visit(browser, {}, async (page) => {
    await ask(page, SHORT)
    const words = await answerEnds(page)
    await page.reload()
    await appReady(page)
    assert.equal((await page.locator('.answer .markdown').innerText()).trim(), words)

    await page.getByRole('button', { name: 'New conversation' }).click()
    await page.getByRole('heading', { name: 'What would you like to know?' }).waitFor()
    const drawer = page.getByRole('dialog')
    const openDrawer = () => page.getByRole('button', { name: 'Menu' }).click()
    await openDrawer()
    await screenshot(page, 'phone-menu')
    await assertAccessible(page, 'the menu')
    await assertFitsAFinger(page, 'the menu')
    await drawer.getByRole('button', { name: /^Rename or delete/ }).click()
    await drawer.getByRole('button', { name: 'Rename' }).last().click()
    await drawer.getByRole('textbox', { name: 'Name of the conversation' }).fill('Greetings')
    await drawer.getByRole('button', { name: 'Save' }).click()
    await drawer.getByRole('link', { name: /Greetings/ }).click()
    await page.locator('.answer .markdown').waitFor()

    await openDrawer()
    await drawer.getByRole('button', { name: /^Rename or delete/ }).click()
    await drawer.getByRole('button', { name: 'Delete' }).last().click()
    await drawer.getByText('What you ask will be listed here').waitFor()
    await page.getByRole('button', { name: 'Close the menu' }).click()
    await page.getByRole('button', { name: 'Undo' }).click()
    await openDrawer()
    await drawer.getByRole('link', { name: /Greetings/ }).waitFor()
    await page.reload()
    await appReady(page)
    await openDrawer()
    await drawer.getByRole('link', { name: /Greetings/ }).waitFor()
  })
})

test('all conversations can be deleted, after a question, and nothing is left on the device', async () => {
  await visit(browser, {}, async (page) => {
    for (const question of [SHORT, 'Say yes.']) {
      await page.getByRole('button', { name: 'New conversation' }).click()
      await ask(page, question)
      await answerEnds(page)
    }
    await page.getByRole('button', { name: 'Menu' }).click()
    await page.getByRole('button', { name: 'Delete all conversations' }).click()
    await page.getByRole('heading', { name: 'Delete all conversations?' }).waitFor()
    await screenshot(page, 'phone-delete-all')
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('dialog').getByText('What you ask will be listed here').waitFor()
    await page.reload()
    await appReady(page)
    await page.getByRole('heading', { name: 'What would you like to know?' }).waitFor()
    const left = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const open = indexedDB.open('banyan')
          open.onsuccess = () => {
            const all = open.result.transaction('conversations').objectStore('conversations').getAll()
            all.onsuccess = () => resolve(all.result.length)
          }
        }),
    )
    assert.equal(left, 0)
  })
})

test('an unfinished question survives a reload', async () => {
  await visit(browser, {}, async (page) => {
    await page.getByRole('textbox', { name: 'Your question' }).fill('How do I keep maize dry')
    await page.reload()
    await appReady(page)
    assert.equal(await page.getByRole('textbox', { name: 'Your question' }).inputValue(), 'How do I keep maize dry')
  })
})

test('what a member types before the app is there is not lost', async () => {
  let release
  const held = new Promise((resolve) => (release = resolve))
  const prepare = (context) =>
    context.route('**/assets/*.js', async (route) => {
      await held
      await route.continue()
    })
  await visit(browser, { app: false, waitUntil: 'commit', prepare }, async (page) => {
    const plain = page.locator('main#app textarea[name="question"]')
    await plain.fill('How do I store ')
    await plain.focus()
    await screenshot(page, 'phone-plain-before-app')
    release()
    await appReady(page)
    await page.keyboard.type('beans?')
    assert.equal(await page.getByRole('textbox', { name: 'Your question' }).inputValue(), 'How do I store beans?')
  })
})

test('a conversation begun on the plain page goes on in the app', async () => {
  let release
  const held = new Promise((resolve) => (release = resolve))
  const prepare = (context) =>
    context.route('**/assets/*.js', async (route) => {
      await held
      await route.continue()
    })
  await visit(browser, { app: false, waitUntil: 'commit', prepare }, async (page) => {
    await page.locator('main#app textarea[name="question"]').fill(SHORT)
    await page.locator('main#app form:has(textarea) button').click({ noWaitAfter: true })
    await page.locator('main#app section.assistant p:not(.thinking, .queue)').first().waitFor({ timeout: 120_000 })
    release()
    await appReady(page)
    assert.equal((await page.locator('.question-text').innerText()).trim(), SHORT)
    assert.notEqual((await page.locator('.answer .markdown').innerText()).trim(), '')
    await ask(page, 'Say it in other words.')
    assert.notEqual(await answerEnds(page), '')
    assert.equal(new URL(page.url()).pathname, '/')
  })
})

test('dark follows the device, and the member may choose otherwise and is remembered', async () => {
  const ground = (page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  const brightness = (color) => color.match(/\d+/g).slice(0, 3).reduce((sum, one) => sum + Number(one), 0) / 3
  await visit(browser, { colorScheme: 'dark' }, async (page) => {
    assert.ok(brightness(await ground(page)) < 60, await ground(page))
    await screenshot(page, 'phone-dark')
    await assertAccessible(page, 'the dark page')
    await page.getByRole('button', { name: 'Menu' }).click()
    await page.getByRole('dialog').getByLabel('Light').check()
    assert.ok(brightness(await ground(page)) > 200, await ground(page))
    await page.reload()
    await appReady(page)
    assert.ok(brightness(await ground(page)) > 200, await ground(page))
  })
})

test('in Arabic the page runs from right to left, in every place', async () => {
  await visit(browser, {}, async (page) => {
    await page.getByRole('button', { name: 'Menu' }).click()
    await page.getByRole('dialog').getByRole('combobox', { name: 'Language' }).selectOption('ar')
    await page.getByRole('dialog').getByText('محادثة جديدة').waitFor()
    assert.equal(await page.locator('html').getAttribute('dir'), 'rtl')
    await screenshot(page, 'phone-arabic-menu')
    await page.reload()
    await appReady(page)
    await page.getByRole('heading', { name: 'ماذا تودّ أن تعرف؟' }).waitFor()
    const menu = await page.locator('.top-menu').boundingBox()
    assert.ok(menu.x > 180, 'the menu is on the right')
    await screenshot(page, 'phone-arabic')
    await assertAccessible(page, 'the Arabic page')
    await assertFitsAFinger(page, 'the Arabic page')
    await page.goto(`${BOX}/status`)
    assert.equal(await page.locator('html').getAttribute('dir'), 'rtl', 'the plain pages follow the choice')
  })
})

for (const [locale, heading] of [
  ['es-GT', '¿Qué te gustaría saber?'],
  ['sw-KE', 'Ungependa kujua nini?'],
]) {
  test(`a browser in ${locale} gets its language without asking`, async () => {
    await visit(browser, { locale }, async (page) => {
      await page.getByRole('heading', { name: heading }).waitFor()
      await assertFitsAFinger(page, locale)
    })
  })
}

test('out of the box’s reach the member is told so, loses nothing, and goes on when it is back', async () => {
  await visit(browser, {}, async (page, context) => {
    await context.setOffline(true)
    await page.getByText('The box cannot be reached.').waitFor()
    await ask(page, SHORT)
    await page.locator('.failure').getByText('The box could not be reached.').waitFor()
    await screenshot(page, 'phone-unreachable')
    await assertAccessible(page, 'the page out of reach')
    await context.setOffline(false)
    await page.getByText('The assistant is ready again.').waitFor()
    await page.getByRole('button', { name: 'Try again' }).click()
    assert.notEqual(await answerEnds(page), '')
  })
})

test('how the box is, and help, are said in words', async () => {
  await visit(browser, { path: '/#/status', app: false }, async (page) => {
    await page.getByRole('heading', { name: 'How the box is' }).waitFor()
    await page.getByText('Ready for your questions.').waitFor()
    await screenshot(page, 'phone-status')
    await assertAccessible(page, 'the status')
    await assertFitsAFinger(page, 'the status')
    await page.goto(`${BOX}/#/about`)
    await page.getByRole('heading', { name: 'Help and about' }).waitFor()
    await page.getByText('Can I trust the answers?').click()
    await page.getByText('Not blindly.').waitFor()
    await screenshot(page, 'phone-about')
    await assertAccessible(page, 'the help')
  })
})

test('a keyboard is enough: skip link, ask, stop, menu', async () => {
  await visit(browser, { isMobile: false, hasTouch: false, viewport: { width: 1280, height: 800 } }, async (page) => {
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the question box')
    await page.keyboard.press('Enter')
    await page.keyboard.type('Say hello.')
    await page.keyboard.press('Enter')
    assert.notEqual(await answerEnds(page), '')
    await screenshot(page, 'desktop-answer')
    await assertAccessible(page, 'the wide page')
  })
})

test('on a wide screen the conversations stand beside', async () => {
  await visit(browser, { isMobile: false, hasTouch: false, viewport: { width: 1280, height: 800 } }, async (page) => {
    await page.getByRole('complementary').getByRole('button', { name: 'New conversation' }).waitFor()
    await screenshot(page, 'desktop-empty')
  })
  await visit(browser, { isMobile: false, hasTouch: false, viewport: { width: 1280, height: 800 }, colorScheme: 'dark' }, (page) =>
    screenshot(page, 'desktop-dark'),
  )
})

test('the first visit is light: the page, the app and its styles are under 90 kB on the wire', async () => {
  const sizes = []
  const prepare = (_, page) =>
    page.on('requestfinished', async (request) => sizes.push(request.sizes().then((size) => size.responseBodySize)))
  await visit(browser, { prepare }, async (page) => {
    await page.waitForLoadState('networkidle')
    const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
    console.log(`first visit: ${total} bytes in ${sizes.length} requests`)
    assert.ok(total < 90_000, `${total} bytes`)
  })
})
