// What can be decided, by the names that the box has for it.

import type { components } from '../api/schema'

type Schemas = components['schemas']

export type Topic = Schemas['Topic']
/** In the order in which they are listed. */
export const TOPICS: readonly Topic[] = ['behaviour', 'models', 'sources', 'people', 'neighbours', 'operation', 'constitution', 'other']

export type Policy = Schemas['Policy']
export type TopicRule = Schemas['TopicRule']
export type Disclaimer = Schemas['Disclaimer']
export type ModerationRule = Schemas['ModerationRule']
export type QuotaPolicy = Schemas['QuotaPolicy']
export type Constitution = Schemas['Constitution']
export type EmergencyPower = Schemas['EmergencyPower']
export type SanctionStep = Schemas['SanctionStep']
export type Decision = Schemas['Decision']
