import { z } from 'zod';
import { wordedInstant } from '../kernel/instant.ts';
import { jsonObject } from '../kernel/metadata.ts';
import type { LedgerTransaction, Subsidy } from '../kernel/ports/ledger.ts';

const instant = z.string().transform((text, context) => {
  const date = wordedInstant(text);
  if (date) return date;
  context.issues.push({ code: 'custom', input: text, message: 'No time.' });
  return z.NEVER;
});
// A malformed snapshot field must not make the whole transaction unreadable.
const snapshot = instant.nullish().catch(null);
/** Old rows can contain any JSON. */
const metadata = jsonObject().nullish().catch(null);
const state = z.enum(['created', 'pending', 'committed', 'failed']);

const subsidy = z.object({
  uuid: z.string(),
  enterprise_customer_uuid: z.string(),
  active_datetime: instant.nullish(),
  expiration_datetime: instant.nullish(),
  current_balance: z.int(),
  total_deposits: z.int(),
});

/** `GET /api/v1/subsidies/{uuid}/`. */
export const subsidyReply = subsidy.transform(
  (row): Omit<Subsidy, 'reservedCents'> => ({
    uuid: row.uuid,
    enterpriseCustomerUuid: row.enterprise_customer_uuid,
    activeDatetime: row.active_datetime ?? null,
    expirationDatetime: row.expiration_datetime ?? null,
    balanceCents: row.current_balance,
    depositsCents: row.total_deposits,
  }),
);

/** The list of subsidies; only its count is used. */
export const subsidyListReply = z.object({ count: z.int() });

const reversal = z.object({
  uuid: z.string(),
  state,
  idempotency_key: z.string(),
  quantity: z.int(),
  metadata,
  created: instant,
  modified: instant,
});

const transaction = z.object({
  uuid: z.string(),
  state,
  idempotency_key: z.string(),
  lms_user_id: z.int().nullish(),
  lms_user_email: z.string().nullish(),
  content_key: z.string().nullish(),
  parent_content_key: z.string().nullish(),
  content_title: z.string().nullish(),
  course_run_start_date: snapshot,
  quantity: z.int(),
  fulfillment_identifier: z.string().nullish(),
  subsidy_access_policy_uuid: z.string().nullish(),
  metadata,
  created: instant,
  modified: instant,
  reversal: reversal.nullish(),
  external_reference: z.array(z.string()).nullish(),
  courseware_url: z.string().nullish(),
});

/** A transaction; its subsidy is known from the path. */
export const transactionReply = transaction.transform(
  (row): Omit<LedgerTransaction, 'subsidyUuid'> => ({
    uuid: row.uuid,
    state: row.state,
    idempotencyKey: row.idempotency_key,
    lmsUserId: row.lms_user_id ?? null,
    lmsUserEmail: row.lms_user_email ?? null,
    contentKey: row.content_key ?? null,
    parentContentKey: row.parent_content_key ?? null,
    contentTitle: row.content_title ?? null,
    courseRunStartDate: row.course_run_start_date ?? null,
    quantityCents: row.quantity,
    fulfillmentIdentifier: row.fulfillment_identifier ?? null,
    subsidyAccessPolicyUuid: row.subsidy_access_policy_uuid ?? null,
    metadata: row.metadata ?? null,
    created: row.created,
    modified: row.modified,
    reversal: row.reversal
      ? {
          uuid: row.reversal.uuid,
          state: row.reversal.state,
          idempotencyKey: row.reversal.idempotency_key,
          quantityCents: row.reversal.quantity,
          metadata: row.reversal.metadata ?? null,
          created: row.reversal.created,
          modified: row.reversal.modified,
        }
      : null,
    externalReferences: row.external_reference ?? [],
    coursewareUrl: row.courseware_url ?? null,
  }),
);

/** A page of transactions. */
export const transactionPage = z.object({ next: z.string().nullable(), results: z.array(transactionReply) });

/** Sum of transactions; null if there are none. */
export const totalReply = z.object({ aggregates: z.object({ total_quantity: z.int().nullable() }) });

/** Enrollment counts per learner. */
export const countsReply = z.array(z.object({ lms_user_id: z.int(), total: z.int() }));

const errorBody = z.object({ code: z.string() });

/** The error code of a refusal, if it has one. */
export const codeOf = (body: unknown): string | null => errorBody.safeParse(body).data?.code ?? null;
