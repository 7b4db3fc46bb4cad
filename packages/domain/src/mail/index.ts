export { type CampaignIds, recordedMail } from './delivery.ts';
