// The engine dies while a member waits: what do they read, and how long until they are answered?
// The supervisor's socket (BANYAN_RUN_DIR/supervisor.sock) tells the engine's process, which is then killed for real.
import assert from 'node:assert/strict'
import http from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { answerBegins, answerEnds, ask, assertAccessible, launch, screenshot, visit } from './lib/box.mjs'

const RUN_DIR = process.env.BANYAN_RUN_DIR
const skip = RUN_DIR ? false : 'BANYAN_RUN_DIR is not set: the engine of a box that is not ours is not killed'

let browser
before(async () => (browser = await launch()))
after(() => browser.close())

function supervisorStatus() {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath: join(RUN_DIR, 'supervisor.sock'), path: '/status' }, (response) => {
      let text = ''
      response.on('data', (piece) => (text += piece))
      response.on('end', () => resolve(JSON.parse(text)))
    })
    request.on('error', reject)
  })
}

async function engine() {
  const { workers } = await supervisorStatus()
  return workers.find((worker) => worker.name === 'infer')
}

async function killEngine() {
  const { pid } = await engine()
  assert.ok(pid > 1, 'the supervisor knows the engine')
  process.kill(pid, 'SIGKILL')
  return performance.now()
}

/** Presses "Try again" as a member would, until the first words of an answer are there. */
async function retryUntilAnswered(page) {
  const answer = page.locator('.answer').last()
  for (let tries = 0; tries < 60; tries++) {
    await answer.locator('.failure, .markdown').first().waitFor({ timeout: 60_000 })
    if ((await answer.locator('.failure').count()) === 0) return
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.waitForTimeout(500)
  }
  assert.fail('the engine did not come back')
}

test('killed in the middle of an answer: the member reads why, and is answered again', { skip }, async () => {
  await visit(browser, {}, async (page) => {
    await ask(page, 'Write a long story about a village, a river and a tree. Tell it in many sentences.')
    await answerBegins(page)
    const killed = await killEngine()
    // Either the box begins the answer again by itself and says so, or it says that it broke off and what to do.
    const words = page.locator('.answer .failure strong, .answer .notice').first()
    await words.waitFor({ timeout: 15_000 })
    const told = await words.innerText()
    await screenshot(page, 'phone-engine-killed')
    assert.match(told, /assistant/i)
    assert.doesNotMatch(told, /undefined|null|\{|HTTP|ECONN|socket/)
    await assertAccessible(page, 'an answer that broke off')
    await retryUntilAnswered(page)
    console.log(`first words again ${((performance.now() - killed) / 1000).toFixed(1)} s after the kill`)
    await page.getByRole('button', { name: 'Stop' }).click()
  })
})

test('a question that is asked while the engine is away is answered in the end', { skip }, async () => {
  await visit(browser, {}, async (page) => {
    await killEngine()
    await ask(page, 'Say hello in one short sentence.')
    await retryUntilAnswered(page)
    assert.notEqual(await answerEnds(page), '')
    await page.locator('.banner:not([data-test="found-banner"])').waitFor({ state: 'detached', timeout: 60_000 })
  })
})

test('while the engine starts, the page says so and what to do', { skip }, async () => {
  await visit(browser, {}, async (page) => {
    await killEngine()
    await page.reload()
    const banner = page.locator('.banner:not([data-test="found-banner"])')
    const seen = await banner.waitFor({ timeout: 10_000 }).then(
      () => true,
      () => false,
    )
    // A small model is back before the page has asked twice; then there is nothing to tell.
    if (seen) {
      assert.match(await banner.innerText(), /assistant is (starting|not running)/i)
      await screenshot(page, 'phone-engine-starting')
    }
    await banner.waitFor({ state: 'detached', timeout: 60_000 })
    assert.equal((await engine()).state, 'ready')
  })
})
