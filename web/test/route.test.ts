import { afterEach, expect, test } from 'vitest'
import { route, watchRoute } from '../src/route'

afterEach(() => history.replaceState(null, '', '/'))

test('where the address went while the app was being fetched is where it begins', () => {
  history.replaceState(null, '', '/#/library?q=leather')
  expect(route.view).toBe('chat')
  watchRoute()
  expect(route.view).toBe('library')
  expect(route.more?.q).toBe('leather')
})
