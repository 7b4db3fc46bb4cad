export * as contract from './contract.ts';
export { groups } from './router.ts';
