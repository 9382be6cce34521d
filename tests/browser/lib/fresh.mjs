// A box of one's own that nobody has founded yet: founding is for ever, and the other tests want a box without members.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const { BANYAN_BIN, BANYAN_ORT_LIB, BANYAN_MODELS } = process.env

/** Why no box can be started, or false. */
export const noFreshBox = BANYAN_BIN && BANYAN_ORT_LIB && BANYAN_MODELS ? false : 'BANYAN_BIN, BANYAN_ORT_LIB or BANYAN_MODELS is not set'

/** The other tests' box is named by its run folder; this one is not that one. */
const { BANYAN_RUN_DIR: _, ...OWN_ENV } = { ...process.env, BANYAN_ORT_LIB }

/** Two cores and another box beside it. */
const READY_MS = 180_000

/** `name` is whose box it is: its log is `tests/output/NAME-box.log`. */
export async function freshBox(name = 'assembly') {
  // Short on purpose: a Unix socket's path may have 107 bytes.
  const data = mkdtempSync(join(tmpdir(), 'banyan-'))
  symlinkSync(BANYAN_MODELS, join(data, 'models'))
  const log = openSync(new URL(`../../output/${name}-box.log`, import.meta.url), 'w')
  const child = spawn(BANYAN_BIN, ['--data', data, 'run', '--listen', '127.0.0.1:0', '--ort-lib', BANYAN_ORT_LIB], {
    stdio: ['ignore', log, log],
    env: OWN_ENV,
  })
  const over = new Promise((resolve) => child.once('exit', resolve))
  const banyan = (...words) => run(BANYAN_BIN, ['--data', data, ...words], { env: OWN_ENV })
  const stop = async () => {
    await banyan('stop').catch(() => child.kill())
    await over
    rmSync(data, { recursive: true, force: true })
  }
  try {
    return { address: await ready(banyan, child, name), setupCode: readFileSync(join(data, 'keys/setup-code'), 'utf8').trim(), banyan, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function ready(banyan, child, name) {
  for (const until = Date.now() + READY_MS; Date.now() < until; ) {
    assert.equal(child.exitCode, null, `the box ended at once; its log is tests/output/${name}-box.log`)
    const status = await banyan('status', '--json').then(({ stdout }) => JSON.parse(stdout)).catch(() => null)
    if (status?.workers.every((worker) => worker.state === 'ready')) return status.address
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.fail(`the box was not ready in time; its log is tests/output/${name}-box.log`)
}
