export { decisionsStored, keepDecisionsLater } from './later.ts';
export {
  findDecision,
  isSampled,
  keepDecisions,
  keepDecisionWithin,
  listDecisions,
  newDecision,
  nextDecisions,
} from './store.ts';
export type { Decision, NotPassed, StoredFacts } from './tables.ts';
