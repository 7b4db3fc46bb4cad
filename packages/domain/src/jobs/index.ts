export * as contract from './contract.ts';
export { jobs } from './router.ts';
export { ownerOf, watchJobRuns } from './service.ts';
