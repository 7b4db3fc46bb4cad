import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { contentId, findForCustomer } from './content.ts';
import { courseRecord } from './content-record.ts';
import { deposit } from './deposit.ts';
import { listOf, mapListing, paginate } from './envelope.ts';
import { isTrue, notFound, parseBody, queryOf, queryText, Refusal } from './http.ts';
import type { Transaction } from './ledger.ts';
import { redeem } from './redeem.ts';
import type { SandboxState } from './state.ts';
import type { Subsidy } from './subsidies.ts';
import { transactionRecord } from './subsidies.ts';
import { depositBody, redemptionBody } from './subsidy-bodies.ts';
import { subsidyOf, subsidyViews } from './subsidy-views.ts';
import { selectTransactions } from './transaction-list.ts';

type ByUuid = { Params: { uuid: string } };
type ById = { Params: { id: string } };

/** The learner in the caller's token. The sandbox reads it and leaves the signature to the real service. */
function callerId(authorization: string | undefined): number | undefined {
  const payload = authorization?.split(' ')[1]?.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return z.object({ user_id: z.int() }).safeParse(claims).data?.user_id;
  } catch {
    return undefined;
  }
}

/** enterprise-subsidy: SUB-01 to 11 and the detail of SUB-12. `prefix` is where it is mounted. */
export function subsidyRoutes(app: FastifyInstance, state: SandboxState, prefix: string): void {
  // In a context of their own, as these views have an error shape of their own.
  app.register(async (views) => subsidyViews(views, state, prefix));

  const show = (request: FastifyRequest, subsidy: Subsidy) => (transaction: Transaction) =>
    transactionRecord(transaction, subsidy.unit, `${request.protocol}://${request.host}${prefix}`);

  // SUB-05
  app.get<ById>('/api/v1/content-metadata/:id/', (request, reply) => {
    const customerUuid = queryText(queryOf(request), 'enterprise_customer_uuid');
    if (customerUuid === undefined) throw new Refusal(400, 'enterprise_customer_uuid is required');
    const found = findForCustomer(state.content, customerUuid, request.params.id);
    if (!found) throw new Refusal(404, 'Content not found');
    const { course, run } = found;
    const record = courseRecord(course);
    reply.send({
      content_title: course.title,
      content_uuid: course.uuid,
      content_key: course.key,
      course_run_uuid: run.uuid,
      course_run_key: run.key,
      course_run_start_date: run.startDate,
      source: course.productSource,
      mode: course.productSource === '2u' ? 'paid-executive-education' : 'verified',
      content_price: run.priceCents,
      enroll_by_date: record.normalized_metadata_by_run[run.key]?.enroll_by_date ?? null,
      geag_variant_id: record.course_runs.find(({ key }) => key === run.key)?.variant_id ?? null,
    });
  });

  // SUB-08
  app.get<ByUuid>('/api/v2/subsidies/:uuid/admin/transactions/', (request, reply) => {
    const subsidy = subsidyOf(state, request.params.uuid, 'Missing: subsidy.can_read_all_transactions');
    const query = queryOf(request);
    const selection = selectTransactions(subsidy.ledger, query);
    const page = paginate(request, mapListing(selection, show(request, subsidy)));
    const aggregates = {
      unit: subsidy.unit,
      remaining_subsidy_balance: subsidy.ledger.balance,
      total_quantity: selection.totalQuantity,
    };
    reply.send(isTrue(query.one('include_aggregates')) ? { ...page, aggregates } : page);
  });

  // SUB-09
  app.post<ByUuid>('/api/v2/subsidies/:uuid/admin/transactions/', (request, reply) => {
    const subsidy = subsidyOf(state, request.params.uuid, 'Missing: subsidy.can_create_transactions');
    const body = parseBody(redemptionBody, request.body);
    const { transaction, created } = redeem(state, subsidy, {
      lmsUserId: body.lms_user_id,
      contentKey: contentId(body.content_key),
      policyUuid: body.subsidy_access_policy_uuid,
      metadata: body.metadata ?? null,
      idempotencyKey: body.idempotency_key ?? undefined,
      requestedPriceCents: body.requested_price_cents ?? undefined,
    });
    reply.code(created ? 201 : 200).send(show(request, subsidy)(transaction));
  });

  // SUB-10
  app.post<ByUuid>('/api/v2/subsidies/:uuid/admin/deposits/', (request, reply) => {
    const subsidy = subsidyOf(state, request.params.uuid, 'Missing: subsidy.can_create_deposits');
    const body = parseBody(depositBody, request.body);
    const { deposit: made, created } = deposit(state, subsidy, {
      quantity: body.desired_deposit_quantity,
      referenceId: body.sales_contract_reference_id,
      provider: body.sales_contract_reference_provider,
      metadata: body.metadata ?? null,
      idempotencyKey: body.idempotency_key ?? undefined,
    });
    reply.code(created ? 201 : 200).send(made);
  });

  // SUB-11
  app.get<ByUuid>('/api/v2/subsidies/:uuid/transactions/', (request, reply) => {
    const subsidy = subsidyOf(state, request.params.uuid, 'Missing: subsidy.can_read_own_transactions');
    const lmsUserId = callerId(request.headers.authorization);
    if (lmsUserId === undefined) throw notFound('Could not determine lms_user_id in this request.');
    const rows = subsidy.ledger.byLearner.get(lmsUserId) ?? [];
    reply.send(paginate(request, mapListing(listOf(rows.toReversed()), show(request, subsidy))));
  });

  // SUB-12
  app.get<ByUuid>('/api/v1/transactions/:uuid/', (request, reply) => {
    const known = state.subsidies.transactions.get(request.params.uuid);
    if (!known) throw notFound();
    reply.send(show(request, known.subsidy)(known.transaction));
  });
}
