export { localPlans, localSubscriptions } from './local.ts';
