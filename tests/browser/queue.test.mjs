// The fair queue as a member sees it, and answers that outlive a reload, a second tab and a lost connection.
// What the box keeps of an answer is fetched at the end and compared letter by letter: no word twice, none lost.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { answerBegins, answerEnds, ANSWER_MS, appReady, ask, assertAccessible, assertFitsAFinger, BOX, launch, screenshot, visit } from './lib/box.mjs'
import { openLine } from './lib/line.mjs'
import { fill } from './lib/members.mjs'

let browser
before(async () => (browser = await launch()))
after(() => browser.close())

const LONG = 'Write a long story about a village, a river and a tree. Tell it in many sentences.'

/** Waits until the page has some words of an answer that still grows. */
async function halfWritten(page) {
  await answerBegins(page)
  await page.waitForFunction(() => document.querySelector('.answer .markdown')?.innerText.length > 80, null, { timeout: ANSWER_MS })
  assert.equal(await page.locator('.answer[aria-busy="true"]').count(), 1, 'the answer was over too soon for this test')
}

/** The last answer as this device keeps it: with its text as the model wrote it, and its name on the box while it runs. */
function kept(page) {
  return page.evaluate(
    () =>
      new Promise((resolve) => {
        const open = indexedDB.open('banyan')
        open.onsuccess = () => {
          const all = open.result.transaction('conversations').objectStore('conversations').getAll()
          all.onsuccess = () => {
            open.result.close()
            resolve(all.result[0]?.messages.at(-1))
          }
        }
      }),
  )
}

/** The name of the running answer on the box. */
async function nameOf(page) {
  for (let tries = 0; tries < 50; tries++) {
    const name = (await kept(page))?.run?.answer
    if (name) return name
    await page.waitForTimeout(100)
  }
  assert.fail('the device does not keep the name of the running answer')
}

/** All words of the answer, from the box. */
function fromBox(page, name) {
  return page.evaluate(async (answer) => {
    const response = await fetch(`/api/chat/${answer}`)
    if (!response.ok) return `status ${response.status}`
    const events = (await response.text()).split('\n').filter((line) => line.startsWith('data:')).map((line) => JSON.parse(line.slice(5)))
    return events.map((event) => (event.type === 'token' ? event.text : '')).join('')
  }, name)
}

async function assertWhole(page, name) {
  await answerEnds(page)
  const { text, state, run } = await kept(page)
  assert.equal(state, 'complete')
  assert.equal(run, undefined)
  assert.equal(text, await fromBox(page, name))
}

/** The rest of a long story is not what these tests are about. */
async function stop(page) {
  await page.getByRole('button', { name: 'Stop' }).click()
  await page.locator('.answer[aria-busy="true"]').waitFor({ state: 'detached' })
}

test('a reload in the middle of an answer goes on where it was', async () => {
  await visit(browser, {}, async (page) => {
    await ask(page, LONG)
    await halfWritten(page)
    const name = await nameOf(page)
    await page.reload()
    await appReady(page)
    await page.locator('.answer[aria-busy="true"]').waitFor()
    await page.reload()
    await appReady(page)
    assert.equal(await page.locator('.answer').count(), 1)
    await assertWhole(page, name)
  })
})

test('two tabs show the same answer, and a stop in one is a stop in both', async () => {
  await visit(browser, {}, async (page, context) => {
    await ask(page, LONG)
    await halfWritten(page)
    const second = await context.newPage()
    await second.goto(page.url())
    await appReady(second)
    await second.locator('.answer[aria-busy="true"] .markdown').waitFor()
    const before = (await second.locator('.answer .markdown').innerText()).length
    await second.waitForFunction((length) => document.querySelector('.answer .markdown').innerText.length > length, before)
    await stop(page)
    await second.locator('.answer[aria-busy="true"]').waitFor({ state: 'detached', timeout: 5_000 })
    assert.equal(await second.locator('.failure').count(), 0, 'a stop is no failure')
    const first = (await page.locator('.answer .markdown').innerText()).trim()
    assert.ok((await second.locator('.answer .markdown').innerText()).trim().startsWith(first.slice(0, 60)))
  })
})

test('some seconds without the Wi-Fi: the member is told, and the answer goes on', async () => {
  const line = await openLine()
  await visit(browser, { box: line.address }, async (page, context) => {
    await ask(page, LONG)
    await halfWritten(page)
    const name = await nameOf(page)
    await context.setOffline(true)
    line.cut()
    await page.locator('.answer .notice').getByText('Connection lost, trying again.').waitFor()
    await screenshot(page, 'phone-connection-lost')
    await assertAccessible(page, 'a lost connection')
    const words = await page.locator('.answer .markdown').innerText()
    await page.waitForTimeout(3_000)
    assert.equal(await page.locator('.answer .markdown').innerText(), words, 'the line was not cut')
    line.mend()
    await context.setOffline(false)
    await page.locator('.answer .notice').waitFor({ state: 'detached' })
    await assertWhole(page, name)
  }).finally(line.close)
})

test('a connection that nobody says is dead is left once the network is back', async () => {
  const line = await openLine()
  await visit(browser, { box: line.address }, async (page, context) => {
    await ask(page, LONG)
    await halfWritten(page)
    const name = await nameOf(page)
    line.mute()
    await context.setOffline(true)
    await page.waitForTimeout(2_000)
    line.mend()
    await context.setOffline(false)
    await assertWhole(page, name)
  }).finally(line.close)
})

test('an answer that the box has no more says so, and can be asked again', async () => {
  await visit(browser, {}, async (page) => {
    await ask(page, 'Say hello in one short sentence.')
    await answerEnds(page)
    await page.evaluate(
      () =>
        new Promise((resolve) => {
          const open = indexedDB.open('banyan')
          open.onsuccess = () => {
            const table = open.result.transaction('conversations', 'readwrite').objectStore('conversations')
            table.getAll().onsuccess = ({ target }) => {
              const [conversation] = target.result
              Object.assign(conversation.messages.at(-1), { state: 'writing', run: { answer: '0'.repeat(32), last: 2 } })
              table.put(conversation).onsuccess = () => {
                open.result.close()
                resolve()
              }
            }
          }
        }),
    )
    await page.reload()
    await appReady(page)
    await page.locator('.failure').getByText('This answer is no longer on the box.').waitFor()
    await screenshot(page, 'phone-answer-gone')
    await page.locator('.failure').getByRole('button', { name: 'Ask again' }).click()
    assert.notEqual(await answerEnds(page), '')
  })
})

for (const [how, name, options, place] of [
  ['in the light', 'phone-waiting', {}, /You are \w+ in line/],
  ['in the dark', 'phone-waiting-dark', { colorScheme: 'dark' }, /You are \w+ in line/],
  ['in Arabic', 'phone-waiting-arabic', { locale: 'ar' }, /دورك/],
]) {
  test(`when the box is full the member sees their place until the answer begins, ${how}`, async () => {
    const crowd = await fill(2)
    try {
      await visit(browser, options, async (page) => {
        await page.locator('.composer textarea').fill('Say hello.')
        await page.locator('.composer button[type="submit"]').click()
        const waiting = page.locator('.answer .thinking')
        await waiting.getByText(place).waitFor({ timeout: 5_000 })
        const heard = page.locator('[aria-live="polite"]').filter({ hasText: place })
        await heard.waitFor({ state: 'attached' })
        await screenshot(page, name)
        await assertAccessible(page, 'waiting')
        await assertFitsAFinger(page, 'waiting')
        await crowd.leave()
        await page.locator('.answer .markdown').waitFor({ timeout: ANSWER_MS })
        assert.equal(await waiting.count(), 0)
      })
    } finally {
      await crowd.leave()
    }
  })
}

test('how full the box is, is said in words', async () => {
  const crowd = await fill(1)
  try {
    await visit(browser, { path: '/#/status', app: false }, async (page) => {
      await page.getByRole('heading', { name: 'The queue' }).waitFor()
      const { queue } = await (await fetch(`${BOX}/api/status`)).json()
      await page.getByText(`${queue.places} of ${queue.places}`).waitFor()
      await screenshot(page, 'phone-status-queue')
      await assertAccessible(page, 'the queue')
    })
  } finally {
    await crowd.leave()
  }
})
