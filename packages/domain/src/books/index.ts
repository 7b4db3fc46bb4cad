export { auditBooks, type Discrepancy } from './audit.ts';
export { auditDrift } from './drift.ts';
export { auditJob, reconcileJob } from './jobs.ts';
