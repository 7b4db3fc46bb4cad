import { z } from 'zod';
import { defineMail } from '../kernel/ports/mail.ts';

/** Days after the invitation on which pending members are reminded. */
export const reminderDays = [5, 25, 50, 65, 85] as const;
export type ReminderDay = (typeof reminderDays)[number];

const always = z.object({
  catalog_content_count: z.int().nullable(),
  invitation_end_date: z.string(),
  subsidy_expiration_datetime: z.string().nullable(),
});
/** Two of the campaigns also use the customer's name. */
const withCustomer = always.extend({ enterprise_customer: z.string() });

const reminder = <D extends ReminderDay, P extends z.ZodObject>(day: D, properties: P) =>
  defineMail({
    name: `groups.reminderOfDay${day}`,
    campaign: `BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_${day}_CAMPAIGN` as const,
    properties,
  });

export const reminderMails = {
  5: reminder(5, withCustomer),
  25: reminder(25, always),
  50: reminder(50, always),
  65: reminder(65, withCustomer),
  85: reminder(85, always),
};
