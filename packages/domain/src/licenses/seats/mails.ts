import { z } from 'zod';
import type { Customer } from '../../kernel/ports/lms.ts';
import { defineMail } from '../../kernel/ports/mail.ts';

/** What the mails to learners say about the customer. */
const ofCustomer = {
  enterprise_customer_slug: z.string(),
  enterprise_customer_name: z.string(),
  enterprise_sender_alias: z.string(),
  enterprise_contact_email: z.string().nullable(),
};

/** Properties of mails with an activation link; its key differs among the learners. */
const invitation = z.object({ ...ofCustomer, TEMPLATE_GREETING: z.string(), TEMPLATE_CLOSING: z.string() });
const ofRecipient = z.object({ license_activation_key: z.string() });
const greeting = z.object(ofCustomer);

export const mails = {
  assigned: defineMail({
    name: 'licenses.assigned',
    campaign: 'BRAZE_ASSIGNMENT_EMAIL_CAMPAIGN',
    properties: invitation,
    ofRecipient,
  }),
  reminded: defineMail({
    name: 'licenses.reminded',
    campaign: 'BRAZE_REMIND_EMAIL_CAMPAIGN',
    properties: invitation,
    ofRecipient,
  }),
  activated: defineMail({
    name: 'licenses.activated',
    campaign: 'BRAZE_ACTIVATION_EMAIL_CAMPAIGN',
    properties: greeting,
  }),
  // Two campaigns for one mail: they share a name and thus a key, so that nobody gets both.
  appliedWithPortal: defineMail({
    name: 'licenses.applied',
    campaign: 'BRAZE_AUTOAPPLY_WITH_LEARNER_PORTAL_CAMPAIGN',
    properties: greeting,
  }),
  appliedWithoutPortal: defineMail({
    name: 'licenses.applied',
    campaign: 'BRAZE_AUTOAPPLY_NO_LEARNER_PORTAL_CAMPAIGN',
    properties: greeting,
  }),
  capReached: defineMail({
    name: 'licenses.capReached',
    campaign: 'BRAZE_REVOKE_CAP_EMAIL_CAMPAIGN',
    properties: z.object({
      SUBSCRIPTION_TITLE: z.string(),
      NUM_REVOCATIONS_APPLIED: z.int(),
      ENTERPRISE_NAME: z.string(),
      REVOKED_LIMIT_REACHED_DATE: z.string(),
    }),
  }),
};

const STANDARD_SENDER = 'edX Support Team';

export const aboutCustomer = ({ slug, name, senderAlias, contactEmail }: Customer) => ({
  enterprise_customer_slug: slug,
  enterprise_customer_name: name,
  enterprise_sender_alias: senderAlias ?? STANDARD_SENDER,
  enterprise_contact_email: contactEmail,
});

/** Attributes of a learner's profile (R-LICX-40). */
export const languageOf = ({ defaultLanguage }: Customer) => ({ enterprise_default_language: defaultLanguage ?? '' });

/** `November 21, 2025, 04:36AM UTC` */
export function reachedText(at: Date): string {
  const day = at.toLocaleDateString('en-US', { year: 'numeric', month: 'long', day: '2-digit', timeZone: 'UTC' });
  const hours = String(at.getUTCHours() % 12 || 12).padStart(2, '0');
  const minutes = String(at.getUTCMinutes()).padStart(2, '0');
  return `${day}, ${hours}:${minutes}${at.getUTCHours() < 12 ? 'AM' : 'PM'} UTC`;
}
