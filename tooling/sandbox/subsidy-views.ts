import { STATUS_CODES } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { findForCustomer } from './content.ts';
import { listOf, mapListing, paginate } from './envelope.ts';
import { notFound, parseBody, queryOf, queryText, Refusal } from './http.ts';
import { isActiveRedemption, redemptionsOf } from './ledger.ts';
import type { SandboxState } from './state.ts';
import type { Subsidy } from './subsidies.ts';
import { addSubsidy, isActive, subsidyRecord, transactionRecord } from './subsidies.ts';
import { newSubsidyBody, subsidyChanges } from './subsidy-bodies.ts';

type ByUuid = { Params: { uuid: string } };

const READ = 'MISSING: subsidy.can_read_subsidies';
const WRITE = 'MISSING: subsidy.can_write_subsidies';

/** An unknown subsidy has no customer to hold a role in, hence 403 and not 404. */
export function subsidyOf(state: SandboxState, uuid: string, missing: string): Subsidy {
  const subsidy = state.subsidies.subsidies.get(uuid);
  if (!subsidy) throw new Refusal(403, { detail: missing });
  return subsidy;
}

const sortKeys: Record<string, (subsidy: Subsidy) => string> = {
  title: (subsidy) => subsidy.title ?? '',
  created: (subsidy) => subsidy.created.toISOString(),
  active_datetime: (subsidy) => subsidy.activeDatetime?.toISOString() ?? '',
  expiration_datetime: (subsidy) => subsidy.expirationDatetime?.toISOString() ?? '',
};

function sortSubsidies(subsidies: readonly Subsidy[], sortBy: string): Subsidy[] {
  const direction = sortBy.startsWith('-') ? -1 : 1;
  const key = sortKeys[sortBy.replace(/^-/, '')] ?? ((subsidy: Subsidy) => subsidy.created.toISOString());
  return subsidies.toSorted((a, b) => direction * key(a).localeCompare(key(b)));
}

/** v1 subsidy views answer errors in a shape of their own. */
function rewriteErrors(error: unknown, _request: FastifyRequest, reply: FastifyReply): void {
  const detail = error instanceof Refusal ? (error.body as { detail?: unknown } | undefined)?.detail : undefined;
  // A caller without a token never reaches the view: that answer keeps its plain shape.
  if (!(error instanceof Refusal) || detail === undefined || error.status === 401) throw error;
  const body = { error_code: STATUS_CODES[error.status], developer_message: detail, user_message: detail };
  reply.code(error.status).send(body);
}

/** The v1 subsidy views: SUB-01 to 04, 06 and 07. `prefix` is where the service is mounted. */
export function subsidyViews(app: FastifyInstance, state: SandboxState, prefix: string): void {
  app.setErrorHandler(rewriteErrors);

  // SUB-01
  app.get('/api/v1/subsidies/', (request, reply) => {
    const query = queryOf(request);
    const [customer, uuid] = [queryText(query, 'enterprise_customer_uuid'), queryText(query, 'uuid')];
    const title = queryText(query, 'title')?.toLowerCase();
    const chosen = [...state.subsidies.subsidies.values()].filter(
      (subsidy) =>
        (customer === undefined || subsidy.customerUuid === customer) &&
        (uuid === undefined || subsidy.uuid === uuid) &&
        (title === undefined || subsidy.title?.toLowerCase().includes(title)),
    );
    const listing = listOf(sortSubsidies(chosen, query.one('sort_by') ?? '-created'));
    const now = state.now();
    const records = mapListing(listing, (subsidy) => subsidyRecord(subsidy, now));
    const { count, next, previous, results, num_pages } = paginate(request, records);
    reply.send({ count, next, previous, page_count: num_pages, results });
  });

  // SUB-02
  app.get<ByUuid>('/api/v1/subsidies/:uuid/', (request, reply) => {
    reply.send(subsidyRecord(subsidyOf(state, request.params.uuid, READ), state.now()));
  });

  // SUB-03
  app.get<ByUuid>('/api/v1/subsidies/:uuid/can_redeem/', (request, reply) => {
    const subsidy = subsidyOf(state, request.params.uuid, READ);
    const query = queryOf(request);
    const lmsUserId = Number(queryText(query, 'lms_user_id') ?? Number.NaN);
    const id = queryText(query, 'content_key');
    if (!Number.isInteger(lmsUserId) || id === undefined) {
      throw new Refusal(400, { detail: 'A lms_user_id and content_key are required' });
    }
    const found = findForCustomer(state.content, subsidy.customerUuid, id);
    if (!found) throw notFound('Content not found');
    const transactions = redemptionsOf(subsidy.ledger, lmsUserId, found.run.key);
    const price = found.run.priceCents;
    const baseUrl = `${request.protocol}://${request.host}${prefix}`;
    reply.send({
      can_redeem: !transactions.some(isActiveRedemption) && subsidy.ledger.balance >= price,
      content_price: price,
      unit: subsidy.unit,
      all_transactions: transactions.map((row) => transactionRecord(row, subsidy.unit, baseUrl)),
      active: isActive(subsidy, state.now()),
    });
  });

  // SUB-04
  app.get<ByUuid>('/api/v1/subsidies/:uuid/aggregates-by-learner', (request, reply) => {
    const subsidy = subsidyOf(state, request.params.uuid, READ);
    const policy = queryText(queryOf(request), 'subsidy_access_policy_uuid') ?? '';
    const counts = [...(subsidy.ledger.learnerCounts.get(policy) ?? [])];
    reply.send(counts.filter(([, total]) => total > 0).map(([lms_user_id, total]) => ({ lms_user_id, total })));
  });

  // SUB-06
  app.post('/api/v1/subsidies/', (request, reply) => {
    if (!request.body) throw new Refusal(400, { detail: 'Request body is required' });
    const body = parseBody(newSubsidyBody, request.body);
    const now = state.now();
    const known = body.default_internal_only ? undefined : state.subsidies.byReference.get(body.reference_id);
    const seed = {
      title: body.default_title,
      customerUuid: body.default_enterprise_customer_uuid,
      startingBalance: body.default_starting_balance,
      referenceId: body.reference_id,
      internalOnly: body.default_internal_only,
      revenueCategory: body.default_revenue_category,
      activeDatetime: body.default_active_datetime,
      expirationDatetime: body.default_expiration_datetime,
      unit: body.default_unit,
    };
    reply.code(known ? 200 : 201).send(subsidyRecord(known ?? addSubsidy(state.subsidies, seed, now), now));
  });

  // SUB-07
  app.route<ByUuid>({
    method: ['PUT', 'PATCH'],
    url: '/api/v1/subsidies/:uuid/',
    handler: (request, reply) => {
      const subsidy = subsidyOf(state, request.params.uuid, WRITE);
      const body = parseBody(subsidyChanges, request.body);
      if (body.title !== undefined) subsidy.title = body.title;
      if (body.active_datetime !== undefined) subsidy.activeDatetime = body.active_datetime;
      if (body.expiration_datetime !== undefined) subsidy.expirationDatetime = body.expiration_datetime;
      if (body.revenue_category !== undefined) subsidy.revenueCategory = body.revenue_category;
      subsidy.modified = state.now();
      reply.send(subsidyRecord(subsidy, subsidy.modified));
    },
  });
  app.delete<ByUuid>('/api/v1/subsidies/:uuid/', (request, reply) => {
    const subsidy = subsidyOf(state, request.params.uuid, WRITE);
    state.subsidies.subsidies.delete(subsidy.uuid);
    if (subsidy.referenceId !== null) state.subsidies.byReference.delete(subsidy.referenceId);
    reply.code(204).send();
  });
}
