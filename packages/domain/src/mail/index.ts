export { recordedMail } from './delivery.ts';
export { mailExpiry } from './store.ts';
