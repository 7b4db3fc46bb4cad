export * as contract from './contract.ts';
export { watchJobRuns } from './service.ts';
