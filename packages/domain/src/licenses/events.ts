import type { OutboxMessage } from '@enterprise-access/db';
import { ownEvent } from '../kernel/event.ts';
import licenseLifecycle from './license-lifecycle.json' with { type: 'json' };
import type { AgreementRow, PlanRow } from './rules.ts';
import type { LicenseRow } from './store.ts';

const TOPIC = 'license-lifecycle';
const PREFIX = 'edx.server.license-manager';

/** What can happen to a licence; `not-assigned` is about a learner for whom there was none. */
const happenings = [
  'created',
  'assigned',
  'activated',
  'revoked',
  'renewed',
  'expired',
  'deleted',
  'not-assigned',
] as const;
export type LicenseHappening = (typeof happenings)[number];

const typeOf = (what: LicenseHappening): string => `${PREFIX}.license-lifecycle.${what}`;
const HALF_YEAR = `${PREFIX}.license.activated.180.days.ago`;

export const events = [...happenings.map(typeOf), HALF_YEAR].map((type) => ownEvent(type, TOPIC, licenseLifecycle));

type OfAgreement = Pick<
  AgreementRow,
  'uuid' | 'enterpriseCustomerUuid' | 'enterpriseCustomerSlug' | 'enterpriseCustomerName'
>;

/** Neither addresses nor activation keys: the event goes to everybody who reads the topic. */
const payloadOf = (
  agreement: OfAgreement,
  plan: Pick<PlanRow, 'uuid' | 'expirationProcessed'> | null,
  license: LicenseRow | null,
  more: { readonly previousLicenseUuid?: string | null; readonly isAutoRenewed?: boolean | null } = {},
) => ({
  license_uuid: license?.uuid ?? null,
  previous_license_uuid: more.previousLicenseUuid ?? null,
  subscription_plan_uuid: plan?.uuid ?? null,
  status: license?.status ?? null,
  assigned_date: license?.assignedDate?.toISOString() ?? null,
  activation_date: license?.activationDate?.toISOString() ?? null,
  assigned_lms_user_id: license?.lmsUserId ?? null,
  auto_applied: license?.autoApplied ?? null,
  is_auto_renewed: more.isAutoRenewed ?? null,
  expiration_processed: plan?.expirationProcessed ?? null,
  enterprise_customer_uuid: agreement.enterpriseCustomerUuid,
  customer_agreement_uuid: agreement.uuid,
  enterprise_customer_slug: agreement.enterpriseCustomerSlug,
  enterprise_customer_name: agreement.enterpriseCustomerName,
});

type Payload = ReturnType<typeof payloadOf>;

/** In order for each licence. */
const message = (name: string, payload: Payload): OutboxMessage => ({
  kind: 'event',
  name,
  key: payload.license_uuid ?? payload.customer_agreement_uuid,
  enterpriseCustomerUuid: payload.enterprise_customer_uuid,
  payload,
});

/** Something happened to a licence; stored in the transaction in which it happened. */
export const licenseEvent = (
  what: Exclude<LicenseHappening, 'not-assigned'>,
  {
    agreement,
    plan,
    license,
    ...more
  }: {
    readonly agreement: OfAgreement;
    readonly plan: Pick<PlanRow, 'uuid' | 'expirationProcessed'>;
    readonly license: LicenseRow;
    readonly previousLicenseUuid?: string | null;
    readonly isAutoRenewed?: boolean | null;
  },
): OutboxMessage => message(typeOf(what), payloadOf(agreement, plan, license, more));

/** A learner came for a licence and there was none left. */
export const notAssigned = (agreement: OfAgreement): OutboxMessage =>
  message(typeOf('not-assigned'), payloadOf(agreement, null, null));

/** A learner activated the licence 180 days ago. */
export const activatedHalfYearAgo = (
  agreement: OfAgreement,
  plan: Pick<PlanRow, 'uuid' | 'expirationProcessed'>,
  license: LicenseRow,
): OutboxMessage => message(HALF_YEAR, payloadOf(agreement, plan, license));
