// @vitest-environment node
import { existsSync, readFileSync } from 'node:fs'
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript'
import { expect, it } from 'vitest'

it('the types of the API are those that the portal describes (else: npm run api)', async () => {
  const description = new URL('../../crates/portal/openapi.json', import.meta.url)
  expect(existsSync(description)).toBe(true)
  const types = COMMENT_HEADER + astToString(await openapiTS(description, { silent: true }))
  expect(readFileSync(new URL('../src/api/schema.d.ts', import.meta.url), 'utf8')).toBe(types)
})
