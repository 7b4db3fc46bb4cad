export { ownerOf } from './configurations.ts';
export * as contract from './contract.ts';
export { assignmentJobs } from './jobs.ts';
export { linkAccount } from './link.ts';
export { assignments } from './router.ts';
