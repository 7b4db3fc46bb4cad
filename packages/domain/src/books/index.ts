export { auditBooks, type Discrepancy } from './audit.ts';
export { auditDrift } from './drift.ts';
