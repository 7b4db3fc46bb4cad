export { recordedMail } from './delivery.ts';
