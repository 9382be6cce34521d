// The pages of the community, each fetched from the box when it is visited, with their words.

import { defineAsyncComponent, type Component } from 'vue'
import { loadCommunityWords } from '../../i18n'
import type { CommunityView } from '../../route'
import FailedPage from './FailedPage.vue'
import LoadingPage from './LoadingPage.vue'

type Load = () => Promise<{ default: Component }>

/** Something of the community in a page that was there before: it comes with its words, and leaves nothing while it comes. */
export function lazy(load: Load): Component {
  return defineAsyncComponent(async () => (await withWords(load)).default)
}

async function withWords(load: Load): Promise<{ default: Component }> {
  const [found] = await Promise.all([load(), loadCommunityWords()])
  return found
}

function page(load: Load): Component {
  return defineAsyncComponent({
    loader: async () => (await withWords(load)).default,
    loadingComponent: LoadingPage,
    errorComponent: FailedPage,
  })
}

export const PAGES: Record<CommunityView, Component> = {
  start: page(() => import('./StartView.vue')),
  join: page(() => import('./JoinView.vue')),
  'sign-in': page(() => import('./SignInView.vue')),
  reset: page(() => import('./ResetView.vue')),
  assembly: page(() => import('./AssemblyView.vue')),
  new: page(() => import('./NewProposalView.vue')),
  proposal: page(() => import('./ProposalPage.vue')),
  policy: page(() => import('./PolicyView.vue')),
  roles: page(() => import('./RolesView.vue')),
  people: page(() => import('./PeopleView.vue')),
  delegations: page(() => import('./DelegationsView.vue')),
  ledger: page(() => import('./LedgerView.vue')),
  moderation: page(() => import('./ModerationView.vue')),
  cases: page(() => import('./CasesView.vue')),
}
