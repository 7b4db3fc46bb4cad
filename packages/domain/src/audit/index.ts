export { exportExpiry } from './store.ts';
