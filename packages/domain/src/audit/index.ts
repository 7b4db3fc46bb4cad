export { exportExpiry, forgetSearches } from './store.ts';
