import { implementJob } from '../kernel/jobs/job.ts';
import { onPlanReminders, planReminders } from './plan-reminders.ts';
import { onRemindMember, remindMember } from './remind-member.ts';

export const planRemindersJob = implementJob(planReminders, onPlanReminders);
export const remindMemberJob = implementJob(remindMember, onRemindMember);
