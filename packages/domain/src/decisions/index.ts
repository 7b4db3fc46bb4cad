export {
  type Decision,
  type DecisionFilter,
  findDecision,
  isSampled,
  keepDecisions,
  listDecisions,
  type NotPassed,
  newDecision,
  nextDecisions,
  type StoredFacts,
} from './store.ts';
