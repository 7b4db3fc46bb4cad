import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type CourseEntry, EXECUTIVE_MODE } from './courses.ts';
import { pageOf } from './envelope.ts';
import { isActive, learnerContent, makeDeposit, redeem, type Subsidy, type Transaction } from './ledger.ts';
import { queryOf } from './query.ts';
import { parseBody, Refusal } from './refusal.ts';
import type { Sandbox } from './sandbox.ts';
import { ACTIVE_FROM, ACTIVE_UNTIL, SEED_TIME, STARTING_BALANCE_CENTS } from './seed.ts';
import { totalQuantity, transactionsOf } from './subsidy-list.ts';

interface WithUuid {
  Params: { uuid: string };
}

const PROVIDERS = ['salesforce_opportunity_line_item', 'salesforce'] as const;

const redeemBody = z.object({
  lms_user_id: z.number().int(),
  content_key: z.string().min(1).max(255),
  subsidy_access_policy_uuid: z.uuid(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  idempotency_key: z.string().max(255).nullish(),
  requested_price_cents: z.number().int().min(0).nullish(),
});

const depositBody = z.object({
  desired_deposit_quantity: z.number().int().min(1),
  sales_contract_reference_id: z.string().min(1).max(255),
  sales_contract_reference_provider: z.enum(PROVIDERS),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  idempotency_key: z.string().max(255).nullish(),
});

const PHRASES: Readonly<Record<number, string>> = { 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found' };

/** Version 1 spells every failure three times. */
const v1Refusal = (status: number, message: string): Refusal =>
  new Refusal(status, {
    error_code: PHRASES[status] ?? 'Internal Server Error',
    developer_message: message,
    user_message: message,
  });

/** The enterprise-subsidy service, in memory. */
export async function subsidy(app: FastifyInstance, { sandbox }: { sandbox: Sandbox }): Promise<void> {
  const ofV1 = (uuid: string): Subsidy => {
    const found = sandbox.world.subsidies.get(uuid);
    if (!found) throw v1Refusal(403, 'MISSING: subsidy.can_read_subsidies');
    return found;
  };
  // An unknown subsidy is one that the caller has no rights in.
  const ofV2 = (uuid: string, permission: string): Subsidy => {
    const found = sandbox.world.subsidies.get(uuid);
    if (!found) throw new Refusal(403, { detail: `Missing: subsidy.${permission}` });
    return found;
  };

  app.get<WithUuid>('/api/v1/subsidies/:uuid', async (request) => subsidyRecord(ofV1(request.params.uuid), Date.now()));

  app.get<WithUuid>('/api/v1/subsidies/:uuid/can_redeem', async (request) => {
    const found = ofV1(request.params.uuid);
    const query = queryOf(request);
    const lmsUserId = Number(query.one('lms_user_id') || Number.NaN);
    const [contentKey] = query.contentKeys('content_key');
    if (!contentKey || !Number.isInteger(lmsUserId)) throw v1Refusal(400, 'A lms_user_id and content_key are required');
    const content = sandbox.world.courses.find(contentKey);
    if (!content) throw v1Refusal(500, 'The content is in no catalog of the customer.');
    const { priceCents } = content.course;
    const key = learnerContent(lmsUserId, contentKey);
    return {
      can_redeem: !found.standing.has(key) && found.balanceCents >= priceCents,
      content_price: priceCents,
      unit: 'usd_cents',
      all_transactions: (found.byLearnerContent.get(key) ?? []).map(render(request)),
      active: isActive(found, Date.now()),
    };
  });

  app.get<WithUuid>('/api/v1/subsidies/:uuid/aggregates-by-learner', async (request) => {
    const policy = queryOf(request).one('subsidy_access_policy_uuid');
    const totals = new Map<number, number>();
    for (const row of ofV1(request.params.uuid).standing.values()) {
      if (row.lms_user_id === null || (policy !== undefined && row.subsidy_access_policy_uuid !== policy)) continue;
      totals.set(row.lms_user_id, (totals.get(row.lms_user_id) ?? 0) + 1);
    }
    return [...totals].map(([lms_user_id, total]) => ({ lms_user_id, total }));
  });

  app.get<{ Params: { id: string } }>('/api/v1/content-metadata/:id', async (request) => {
    const customer = queryOf(request).one('enterprise_customer_uuid');
    if (!customer) throw v1Refusal(400, 'An enterprise_customer_uuid is required');
    const entry = sandbox.world.customers.has(customer) ? sandbox.world.courses.find(request.params.id) : undefined;
    if (!entry) throw v1Refusal(404, 'Content not found');
    return contentSummary(entry);
  });

  app.get<WithUuid>('/api/v1/transactions/:uuid', async (request) => {
    const row = sandbox.world.transactions.get(request.params.uuid);
    if (!row) throw new Refusal(404, { detail: 'Not found.' });
    return render(request)(row);
  });

  app.get<WithUuid>('/api/v2/subsidies/:uuid/admin/transactions', async (request) => {
    const found = ofV2(request.params.uuid, 'can_read_all_transactions');
    const query = queryOf(request);
    const rows = transactionsOf(found, query);
    const page = pageOf(request, rows, render(request));
    if (!query.flag('include_aggregates')) return page;
    const aggregates = {
      unit: 'usd_cents',
      remaining_subsidy_balance: found.balanceCents,
      total_quantity: totalQuantity(rows),
    };
    return { ...page, aggregates };
  });

  app.post<WithUuid>('/api/v2/subsidies/:uuid/admin/transactions', async (request, reply) => {
    const found = ofV2(request.params.uuid, 'can_create_transactions');
    const { transaction, created } = redeem(sandbox.world, found, parseBody(redeemBody, request.body), Date.now());
    return reply.code(created ? 201 : 200).send(render(request)(transaction));
  });

  app.post<WithUuid>('/api/v2/subsidies/:uuid/admin/deposits', async (request, reply) => {
    const found = ofV2(request.params.uuid, 'can_create_deposits');
    const { deposit, created } = makeDeposit(sandbox.world, found, parseBody(depositBody, request.body), Date.now());
    return reply.code(created ? 201 : 200).send(deposit);
  });
}

const subsidyRecord = (found: Subsidy, now: number) => ({
  uuid: found.uuid,
  title: `${found.customer.name} Learner Credit`,
  enterprise_customer_uuid: found.customer.uuid,
  active_datetime: ACTIVE_FROM,
  expiration_datetime: ACTIVE_UNTIL,
  unit: 'usd_cents',
  reference_id: null,
  reference_type: 'salesforce_opportunity_line_item',
  current_balance: found.balanceCents,
  starting_balance: STARTING_BALANCE_CENTS,
  internal_only: false,
  revenue_category: 'bulk-enrollment-prepay',
  is_active: isActive(found, now),
  total_deposits: found.depositedCents,
  created: SEED_TIME,
  modified: SEED_TIME,
});

/** Links are absolute and lead back here. */
const render = (request: { readonly protocol: string; readonly host: string }) => (row: Transaction) => ({
  ...row,
  transaction_status_api_url: `${request.protocol}://${request.host}/subsidy/api/v1/transactions/${row.uuid}/`,
  courseware_url: row.content_key && `https://learning.example.com/course/${row.content_key}/home`,
});

function contentSummary({ course, courseUuid, runUuid, record }: CourseEntry) {
  return {
    content_title: course.title,
    content_uuid: courseUuid,
    content_key: course.key,
    course_run_uuid: runUuid,
    course_run_key: course.runKey,
    course_run_start_date: course.start,
    source: course.source,
    mode: course.source === '2u' ? EXECUTIVE_MODE : 'verified',
    content_price: course.priceCents,
    enroll_by_date: course.enrollBy,
    geag_variant_id: record.course_runs[0]?.variant_id ?? null,
  };
}
