import { createHash } from 'node:crypto';
import { type Connection, insertWithRecords, type Transaction } from '@enterprise-access/db';
import { firstUuidAt, newUuidAt } from '../kernel/ids.ts';
import { currentRequestId } from '../kernel/request-scope.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { Settings } from '../kernel/settings.ts';
import { type DecisionKind, decisionKinds, decisionVerdicts } from './contract.ts';
import { type Decision, decisions } from './tables.ts';

export interface NewDecision
  extends Pick<
    Decision,
    'enterpriseCustomerUuid' | 'policyUuid' | 'lmsUserId' | 'kind' | 'reason' | 'checks' | 'facts'
  > {
  readonly contentKey: string;
  readonly learnerCount?: number;
  readonly redemptionUuid?: string;
}

type Deps = Pick<Runtime, 'clock' | 'settings'>;

const COURSE_OR_RUN = /^[^\s@/]+\+[^\s@/]+$/u;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Some operations take any text as a key; only what looks like one is kept. */
export const keptKey = (contentKey: string): string | null =>
  contentKey.length <= 255 && (COURSE_OR_RUN.test(contentKey) || UUID.test(contentKey)) ? contentKey : null;

/** The row of a decision; null when none are kept. It is stored by `keepDecisions`. */
export function newDecision({ clock, settings }: Deps, given: NewDecision): Decision | null {
  if (settings.decisionDays === 0) return null;
  const created = clock();
  return {
    uuid: newUuidAt(created),
    created,
    enterpriseCustomerUuid: given.enterpriseCustomerUuid,
    policyUuid: given.policyUuid,
    lmsUserId: given.lmsUserId,
    contentKey: keptKey(given.contentKey),
    kind: given.kind,
    verdict: given.reason === null ? 'allowed' : 'refused',
    reason: given.reason,
    learnerCount: given.learnerCount ?? 1,
    checks: given.checks,
    facts: given.facts,
    requestId: currentRequestId() ?? null,
    redemptionUuid: given.redemptionUuid ?? null,
  };
}

/** Stores decisions in one statement; leaves out those that are not kept. */
export async function keepDecisions(db: Connection, given: readonly (Decision | null)[]): Promise<void> {
  const rows = given.filter((each) => each !== null);
  if (rows.length > 0) await db(decisions.table).insert(rows.map((row) => decisions.encode(row)));
}

/** The same as part of a transaction: written with its records, before it takes what others wait for. */
export function keepDecisionWithin(trx: Transaction, decision: Decision | null): void {
  if (decision) insertWithRecords(trx, trx(decisions.table).insert(decisions.encode(decision)));
}

/** Whether this request’s refusals are kept; the same for all of one request. */
export function isSampled({ decisionDays, decisionSampleCanRedeem: share }: Settings): boolean {
  if (decisionDays === 0 || share === 0) return false;
  const id = currentRequestId();
  if (id === undefined) return Math.random() < share;
  return createHash('md5').update(id).digest().readUInt32BE(0) / 2 ** 32 < share;
}

export const findDecision = (db: Connection, uuid: string): Promise<Decision | undefined> => decisions.find(db, uuid);

export const ownerOfDecision = async (db: Connection, uuid: string): Promise<string | null> =>
  (await decisions.query(db).findById(uuid).select('enterprise_customer_uuid'))?.enterpriseCustomerUuid ?? null;

export interface DecisionFilter {
  readonly enterpriseCustomerUuid: string;
  readonly lmsUserId?: number | undefined;
  readonly policyUuid?: string | undefined;
  readonly contentKey?: string | undefined;
  readonly kind?: DecisionKind | undefined;
  readonly verdict?: Decision['verdict'] | undefined;
  readonly reason?: string | undefined;
  readonly requestId?: string | undefined;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

interface Slice {
  /** Only what is older than this decision. */
  readonly before: string | null;
  readonly limit: number;
}

/** Columns of the indexes, in the order in which one is chosen: the fewest rows first. */
const selective = ['requestId', 'lmsUserId', 'policyUuid', 'contentKey', 'reason'] as const;
const columnOf = {
  requestId: 'request_id',
  lmsUserId: 'lms_user_id',
  policyUuid: 'policy_uuid',
  contentKey: 'content_key',
  reason: 'reason',
} as const;

/** The newest decisions first. Reads about as many rows as it returns, however many there are. */
export async function listDecisions(db: Connection, filter: DecisionFilter, slice: Slice): Promise<Decision[]> {
  const uuids = selective.some((name) => filter[name] !== undefined)
    ? await byIndex(db, filter, slice)
    : await byVerdict(db, filter, slice);
  if (uuids.length === 0) return [];
  return decisions.query(db).whereIn('uuid', uuids).orderBy('uuid', 'desc');
}

const uuidsOf = (rows: readonly { uuid: string }[]): string[] => rows.map(({ uuid }) => uuid);

function bounded(db: Connection, filter: DecisionFilter, { before, limit }: Slice) {
  const query = db(decisions.table)
    .select('uuid')
    .where('enterprise_customer_uuid', filter.enterpriseCustomerUuid)
    .orderBy('uuid', 'desc')
    .limit(limit);
  if (filter.from) query.where('uuid', '>=', firstUuidAt(filter.from));
  if (filter.to) query.where('uuid', '<', firstUuidAt(filter.to));
  if (before !== null) query.where('uuid', '<', before);
  return query;
}

async function byIndex(db: Connection, filter: DecisionFilter, slice: Slice): Promise<string[]> {
  const query = bounded(db, filter, slice);
  for (const name of selective) {
    const value = filter[name];
    if (value !== undefined) query.where(columnOf[name], value);
  }
  for (const name of ['kind', 'verdict'] as const) {
    const value = filter[name];
    if (value !== undefined) query.where(name, value);
  }
  return uuidsOf(await query);
}

/** The first ones of each kind and verdict, each read from its place in one index. */
async function byVerdict(db: Connection, filter: DecisionFilter, slice: Slice): Promise<string[]> {
  const kinds = filter.kind === undefined ? decisionKinds : [filter.kind];
  const verdicts = filter.verdict === undefined ? decisionVerdicts : [filter.verdict];
  const parts = kinds.flatMap((kind) => verdicts.map((verdict) => bounded(db, filter, slice).where({ kind, verdict })));
  const union = db.unionAll(parts, true).orderBy('uuid', 'desc').limit(slice.limit);
  return uuidsOf(await union);
}

/** Decisions in the order of time, for those who go through all of them. */
export async function nextDecisions(
  db: Connection,
  filter: { readonly policyUuid?: string | undefined; readonly since?: Date | undefined },
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<Decision[]> {
  const query = decisions.query(db).orderBy('uuid').limit(limit);
  if (filter.policyUuid !== undefined) query.where('policy_uuid', filter.policyUuid);
  if (filter.since) query.where('uuid', '>=', firstUuidAt(filter.since));
  if (after !== null) query.where('uuid', '>', after);
  return query;
}

const made = (db: Connection, before: Date) => db(decisions.table).where('uuid', '<', firstUuidAt(before));

export const countBefore = async (db: Connection, before: Date): Promise<number> =>
  Number((await made(db, before).count({ n: '*' }).first())?.n ?? 0);

/** Deletes at most so many of the oldest; says how many. */
export async function deleteBefore(db: Connection, before: Date, limit: number): Promise<number> {
  const uuids: string[] = uuidsOf(await made(db, before).orderBy('uuid').limit(limit).select('uuid'));
  return uuids.length === 0 ? 0 : db(decisions.table).whereIn('uuid', uuids).delete();
}
