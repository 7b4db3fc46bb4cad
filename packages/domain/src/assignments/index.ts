export { ownerOf } from './configurations.ts';
export * as contract from './contract.ts';
export { linkAccount } from './link.ts';
export { assignments } from './router.ts';
