export * as contract from './contract.ts';
export { legacy } from './legacy.ts';
export { groups } from './router.ts';
