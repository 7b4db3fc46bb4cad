export { bulkExpiry } from './bulk-store.ts';
export * as contract from './contract.ts';
export { allocationCheckNames, allocationOf, failedAllocationCheck, UNSUPPORTED } from './decide.ts';
export { allocateForced } from './force.ts';
export { unacknowledged } from './learner.ts';
export { linkAccount } from './link.ts';
export { allocates, allocationChecks, type SupportFacts } from './price.ts';
export { claim, endRedeemed, reverse } from './redeem.ts';
export { type AssignmentRow, ofLearner } from './store.ts';
