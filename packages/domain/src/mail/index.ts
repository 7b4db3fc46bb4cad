export { mailDelivery } from './delivery.ts';
export { mailExpiry } from './store.ts';
