import { claimMessage, type Transaction, transaction } from '@enterprise-access/db';
import pLimit from 'p-limit';
import { z } from 'zod';
import { defineJob, enqueueOnce, type JobRun } from '../kernel/jobs/job.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { policyGroups } from '../policies/index.ts';
import { type Reminder, remindMember } from './remind-member.ts';
import { CATCH_UP_DAYS, dayOf, daysAfter, daysToPlan, mailOf, reminderDay } from './reminders.ts';
import * as store from './store.ts';

const count = z.int().min(0);

export const planReminders = defineJob({
  name: 'groups.planReminders',
  summary: 'Plan the reminders of today for all pending members of groups with a policy.',
  payload: z.object({}),
  result: z.object({
    groups: count.describe('Groups with an active policy.'),
    planned: count.describe('New reminders; in a dry run, all due reminders.'),
    unsent: count.describe('Due reminders without a mail campaign.'),
  }),
  keyOf: () => 'all',
  retry: { limit: 5, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});

const PLANNER = planReminders.name;
const GROUPS_AT_ONCE = 8;
const ROWS_AT_ONCE = 500;

type Deps = Pick<Runtime, 'db' | 'clock' | 'lms' | 'mail' | 'settings'>;

/** Reminders of a group that are due on one of these days. */
async function dueReminders(deps: Deps, groupUuid: string, days: readonly string[], today: string) {
  const invitations = [...((await deps.lms.invitations(groupUuid)) ?? [])];
  const reminder = (membershipUuid: string, invitedOn: string) => ({ groupUuid, membershipUuid, invitedOn });
  if (deps.settings.remindsAllInvited) {
    return invitations.map(([membership, { invitedOn }]): Reminder => {
      return { ...reminder(membership, invitedOn), day: 5, occasion: `forced:${today}` };
    });
  }
  return invitations.flatMap(([membership, { invitedOn }]) =>
    days.flatMap((each): Reminder[] => {
      const day = reminderDay(invitedOn, each);
      return day === null ? [] : [{ ...reminder(membership, invitedOn), day, occasion: invitedOn }];
    }),
  );
}

/** Enqueues one job per reminder, unique by group, membership, invitation and day. Returns the number of new jobs. */
async function enqueueAll(deps: Deps, enterpriseCustomerUuid: string, reminders: readonly Reminder[]): Promise<number> {
  let planned = 0;
  for (let start = 0; start < reminders.length; start += ROWS_AT_ONCE) {
    const some = reminders.slice(start, start + ROWS_AT_ONCE).map((payload) => ({
      occasion: `${payload.groupUuid}:${payload.membershipUuid}:${payload.day}:${payload.occasion}`,
      payload,
      enterpriseCustomerUuid,
    }));
    planned += await transaction(deps.db, (trx) => enqueueOnce(trx, deps.clock(), remindMember, some));
  }
  return planned;
}

const rememberDays = async (trx: Transaction, groupUuid: string, days: readonly string[], now: Date) => {
  for (const day of days) {
    await claimMessage(trx, { consumer: PLANNER, messageId: `${groupUuid}:${day}`, received: now });
  }
};

/** Plans the open days of one group and stores them as planned. */
async function planGroup(
  deps: Deps,
  { groupUuid, enterpriseCustomerUuid }: policyGroups.RemindedGroup,
  today: string,
  dryRun: boolean,
) {
  const planned = await store.plannedDays(deps.db, PLANNER, groupUuid, daysAfter(today, -CATCH_UP_DAYS));
  const days = daysToPlan(today, planned);
  if (days.length === 0 && !deps.settings.remindsAllInvited) return { planned: 0, unsent: 0 };
  const due = await dueReminders(deps, groupUuid, days, today);
  const sendable = due.filter(({ day }) => deps.mail.canSend(mailOf(day)));
  const unsent = due.length - sendable.length;
  if (dryRun) return { planned: sendable.length, unsent };
  const stored = await enqueueAll(deps, enterpriseCustomerUuid, sendable);
  // Days whose campaign is not configured stay open, and are planned once it is.
  if (unsent === 0) await transaction(deps.db, (trx) => rememberDays(trx, groupUuid, days, deps.clock()));
  return { planned: stored, unsent };
}

/** Idempotent: planning a day again adds no jobs. */
export async function onPlanReminders({
  runtime,
  dryRun,
  signal,
}: JobRun): Promise<z.infer<typeof planReminders.result>> {
  // Fixed for the whole run, which may continue past midnight.
  const today = dayOf(runtime.clock());
  const groups = await policyGroups.remindedGroups(runtime.db);
  const limit = pLimit(GROUPS_AT_ONCE);
  // A group that fails must not block the others.
  const settled = await Promise.allSettled(
    groups.map((group) =>
      limit(async () => {
        signal.throwIfAborted();
        return planGroup(runtime, group, today, dryRun);
      }),
    ),
  );
  signal.throwIfAborted();
  const failures = settled.filter((end) => end.status === 'rejected').map(({ reason }) => reason);
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} groups could not be planned.`);
  const done = settled.filter((end) => end.status === 'fulfilled').map(({ value }) => value);
  const sumOf = (name: 'planned' | 'unsent') => done.reduce((sum, each) => sum + each[name], 0);
  const total = { groups: groups.length, planned: sumOf('planned'), unsent: sumOf('unsent') };
  if (total.unsent > 0) runtime.log.warn({ count: total.unsent }, 'group reminders have no mail campaign');
  return total;
}
