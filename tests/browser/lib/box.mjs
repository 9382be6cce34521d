// What every browser test needs: the address of a real box, Chromium at the size of a basic phone, and two watchers
// that never look away: no request may leave the box, and the content security policy may not be violated.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

export const BOX = boxAddress()

/** A basic phone. */
export const PHONE = { width: 360, height: 640 }
/** A real model on two busy cores: generous, because a slow answer is not what these tests are about. */
export const ANSWER_MS = 180_000

const SCREENS = new URL('../../output/screens/', import.meta.url)
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const CHROMIUM = process.env.BANYAN_CHROMIUM ?? '/usr/bin/chromium'
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

function boxAddress() {
  const address = process.env.BANYAN_URL
  if (!address) {
    console.error('These tests need a running box. Start one (`cargo xtask run`) and give its address: BANYAN_URL=http://127.0.0.1:8080')
    process.exit(1)
  }
  return address.replace(/\/$/, '')
}

export function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
}

/**
 * Runs `body(page, context)` in a browser that has never seen the box, and then checks what the watchers saw.
 * `options` are Playwright's context options; `app: false` does not wait for the app; `box` is another way to the box.
 */
export async function visit(browser, options, body) {
  const { app = options.javaScriptEnabled !== false, path = '/', box = BOX, waitUntil = 'load', prepare, ...contextOptions } = options
  const context = await browser.newContext({
    viewport: PHONE,
    isMobile: true,
    hasTouch: true,
    locale: 'en-GB',
    serviceWorkers: 'block',
    permissions: ['clipboard-read', 'clipboard-write'],
    ...contextOptions,
  })
  const seen = { requests: [], violations: [], errors: [] }
  context.on('request', (request) => seen.requests.push(request.url()))
  await context.exposeBinding('reportViolation', (_, text) => seen.violations.push(text))
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) =>
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ''}:${event.lineNumber}`),
    )
  })
  const page = await context.newPage()
  page.on('websocket', (socket) => seen.requests.push(socket.url()))
  page.on('pageerror', (error) => seen.errors.push(error.message))
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) seen.violations.push(message.text())
  })
  page.setDefaultTimeout(20_000)
  try {
    await prepare?.(context, page)
    await page.goto(box + path, { waitUntil })
    if (app) await appReady(page)
    await body(page, context)
    const origin = new URL(box).origin
    const strangers = seen.requests.filter((url) => !/^(data|blob):/.test(url) && new URL(url).origin !== origin)
    assert.deepEqual(strangers, [], 'a request left the box')
    assert.ok(seen.requests.length > 0, 'the watcher of requests saw nothing at all')
    assert.deepEqual(seen.violations, [], 'the content security policy was violated')
    assert.deepEqual(seen.errors, [], 'a script failed')
  } finally {
    await context.close()
  }
}

export async function appReady(page) {
  await page.locator('.composer textarea').waitFor()
}

/** Keeps a picture as build output. Animations are ended, so that pictures of two runs can be laid side by side. */
export async function screenshot(page, name) {
  mkdirSync(SCREENS, { recursive: true })
  await page.screenshot({ path: new URL(`${name}.png`, SCREENS).pathname, animations: 'disabled' })
}

export async function ask(page, question) {
  await page.getByRole('textbox', { name: 'Your question' }).fill(question)
  await page.getByRole('button', { name: 'Ask', exact: true }).click()
}

/** Waits until the newest answer has its first words, or is over. */
export async function answerBegins(page) {
  await page.locator('.answer').last().locator('.markdown, .failure').first().waitFor({ timeout: ANSWER_MS })
}

/** Waits for the end of the newest answer, and gives its words. */
export async function answerEnds(page) {
  const answer = page.locator('.answer').last()
  await page.locator('.answer[aria-busy="true"]').waitFor({ state: 'detached', timeout: ANSWER_MS })
  assert.equal(await answer.locator('.failure').count(), 0, `the answer failed: ${await answer.innerText()}`)
  return (await answer.locator('.markdown').innerText()).trim()
}

/** axe, at the levels that shut people out. It is evaluated, not added as a script: the policy allows no inline one. */
export async function assertAccessible(page, where) {
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  )
  const grave = violations
    .filter((one) => one.impact === 'serious' || one.impact === 'critical')
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`)
  assert.deepEqual(grave, [], `axe on ${where}`)
}

/** Nothing may be wider than the screen, and nothing that is touched smaller than a finger. */
export async function assertFitsAFinger(page, where) {
  const { over, small } = await page.evaluate(() => {
    const small = []
    for (const element of document.querySelectorAll('button, select, summary, input:not([type=hidden]), textarea, nav a, .panel a')) {
      const { width, height } = element.getBoundingClientRect()
      const shown = width > 1 && height > 1 && getComputedStyle(element).visibility !== 'hidden' && !element.closest('.skip')
      if (shown && (height < 43.5 || width < 43.5)) small.push(`${element.outerHTML.slice(0, 80)} is ${width}×${height}`)
    }
    const page = document.documentElement
    return { over: page.scrollWidth - page.clientWidth, small }
  })
  assert.ok(over <= 0, `${where} is ${over} px wider than the screen`)
  assert.deepEqual(small, [], `too small to touch on ${where}`)
}
