import { z } from 'zod';
import { defineJob, type JobRun } from '../kernel/jobs/job.ts';
import { MailRefused } from '../kernel/ports/mail.ts';
import { orNull } from '../kernel/ports/upstream.ts';
import { policyGroups } from '../policies/index.ts';
import { reminderDays } from './mails.ts';
import { mailOf, reminderProperties } from './reminders.ts';

const payload = z.object({
  groupUuid: z.guid(),
  membershipUuid: z.string(),
  // Distinguishes a later invitation of the same person.
  invitedOn: z.iso.date().describe('Day of the invitation.'),
  day: z.literal(reminderDays).describe('Day of the reminder.'),
  occasion: z.string().describe('One mail per occasion.'),
});
export type Reminder = z.infer<typeof payload>;

const result = z.object({
  outcome: z
    .enum(['sent', 'repeated', 'unreachable', 'answered', 'closed'])
    .describe('Answered: the invitation is no longer open. Closed: the group has no active policy.'),
});

export const remindMember = defineJob({
  name: 'groups.remindMember',
  summary: 'Remind a member of a group invitation, if it is still open.',
  payload,
  result,
  // It takes the mail service up to a minute to report whether an unanswered call has sent the mail.
  retry: { limit: 5, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 300,
});

/** Checks again that the invitation is still open, because the job may have waited long. */
export async function onRemindMember(
  { runtime, dryRun }: JobRun,
  { groupUuid, membershipUuid, invitedOn, day, occasion }: Reminder,
): Promise<z.infer<typeof result>> {
  const { db, clock, lms, catalog, ledger, mail } = runtime;
  const policy = await policyGroups.policyOfGroup(db, groupUuid);
  const customer = policy && (await lms.customer(policy.enterpriseCustomerUuid));
  if (!policy || !customer) return { outcome: 'closed' };
  const invitation = (await lms.invitations(groupUuid))?.get(membershipUuid);
  if (invitation?.invitedOn !== invitedOn) return { outcome: 'answered' };
  const subsidies = await ledger.subsidies([policy.subsidyUuid]);
  const properties = reminderProperties({
    customerName: customer.name,
    contentCount: await catalog.contentCount(policy.catalogUuid),
    invitedOn,
    expiration: subsidies.get(policy.subsidyUuid)?.expirationDatetime ?? null,
  });
  if (dryRun) return { outcome: 'sent' };
  const { email } = invitation;
  try {
    const { repeated } = await mail.send(mailOf(day), {
      enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
      key: `${groupUuid}:${membershipUuid}:${occasion}`,
      recipients: [{ email, lmsUserId: null }],
      properties,
    });
    return { outcome: repeated > 0 ? 'repeated' : 'sent' };
  } catch (error) {
    if (!(error instanceof MailRefused)) throw error;
    // Ignore 404: the member was removed meanwhile.
    await orNull(lms.markUnreachable(groupUuid, email, clock()));
    return { outcome: 'unreachable' };
  }
}
