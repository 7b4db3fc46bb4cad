export { autoApplicablePlan, isActiveAndCurrent } from './rules.ts';
