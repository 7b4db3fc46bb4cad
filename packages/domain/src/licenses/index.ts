export { localPlans, localSubscriptions } from './local.ts';
export { autoApplicablePlan, isActiveAndCurrent } from './rules.ts';
