// Whose box this is. The page says it; the app shows it where a product would show its own name.

import { ref } from 'vue'

export const community = ref('Banyan')

export function nameCommunity(name: string | undefined): void {
  if (name?.trim()) community.value = name.trim()
}
