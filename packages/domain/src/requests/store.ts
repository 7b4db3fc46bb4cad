import { type Connection, type Row, recordChanges, type Transaction } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';
import type { ActionStatus, ErrorReason, RecentAction } from './contract.ts';
import { open } from './rules.ts';
import { learnerCreditRequests, requestActions } from './tables.ts';

/** A stored request. */
export type RequestRow = Readonly<Row<typeof learnerCreditRequests>>;
/** A stored action. */
export type ActionRow = Readonly<Row<typeof requestActions>>;

const TABLE = learnerCreditRequests.table;
export const count = learnerCreditRequests.query;
/** Rows without the columns that the database computes. */
export const query = (db: Connection) =>
  learnerCreditRequests.query(db).select(Object.values(learnerCreditRequests.stored));

/** What was done with a request, or failed. */
export interface NewAction {
  readonly recentAction: RecentAction;
  readonly status: ActionStatus;
  readonly errorReason?: ErrorReason;
  /** Our own words. */
  readonly traceback?: string;
}

/** A change of a request with its action; `before` is null for a new one. */
export interface Step {
  readonly before: RequestRow | null;
  readonly after: RequestRow;
  readonly action: NewAction;
}

const { uuid: _uuid, enterpriseCustomerUuid: _customer, created: _created, ...changing } = learnerCreditRequests.stored;
const writable = Object.values(changing);

/**
 * Stores requests with their actions and the audit trail, in at most three statements. Existing rows must be locked by
 * the caller. Returns the rows as they are stored.
 */
export async function write(trx: Transaction, steps: readonly Step[], at: Date): Promise<RequestRow[]> {
  if (steps.length === 0) return [];
  const actions = steps.map(({ after, action }) => ({
    uuid: newUuid(),
    learnerCreditRequestUuid: after.uuid,
    enterpriseCustomerUuid: after.enterpriseCustomerUuid,
    recentAction: action.recentAction,
    status: action.status,
    errorReason: action.errorReason ?? null,
    traceback: action.traceback ?? null,
    created: at,
    modified: at,
  }));
  const changes = steps.map(({ before, after }, place) => {
    const action = actions[place];
    return {
      before,
      after: {
        ...after,
        latestActionUuid: action?.uuid ?? null,
        latestActionType: action?.recentAction ?? null,
        latestActionStatus: action?.status ?? null,
        latestActionError: action?.errorReason ?? null,
        latestActionAt: at,
        modified: at,
      },
      note: action?.recentAction ?? null,
    };
  });
  const made = changes.filter(({ before }) => before === null).map(({ after }) => learnerCreditRequests.encode(after));
  const changed = changes
    .filter(({ before }) => before !== null)
    .map(({ after }) => learnerCreditRequests.encode(after));
  if (made.length > 0) await trx(TABLE).insert(made);
  if (changed.length > 0) await trx(TABLE).insert(changed).onConflict('uuid').merge(writable);
  await trx(requestActions.table).insert(actions.map((action) => requestActions.encode(action)));
  recordChanges(trx, learnerCreditRequests, changes);
  return changes.map(({ after }) => after);
}

export const find = async (db: Connection, uuid: string): Promise<RequestRow | undefined> => query(db).findById(uuid);

export const findAll = async (db: Connection, uuids: readonly string[]): Promise<RequestRow[]> =>
  query(db)
    .whereIn('uuid', [...uuids])
    .orderBy('uuid');

/** Requests, locked in the order of their keys until the transaction ends. */
export const hold = async (trx: Transaction, uuids: readonly string[]): Promise<RequestRow[]> =>
  query(trx)
    .whereIn('uuid', [...uuids])
    .orderBy('uuid')
    .forUpdate();

/** Requests of assignments, locked in the order of their keys until the transaction ends. */
export const holdOfAssignments = async (trx: Transaction, uuids: readonly string[]): Promise<RequestRow[]> =>
  query(trx)
    .whereIn('assignment_uuid', [...uuids])
    .orderBy('uuid')
    .forUpdate();

/** All requests of a user for a course of a customer, locked until the transaction ends. */
export const holdOfLearner = async (
  trx: Transaction,
  { enterpriseCustomerUuid, userId, courseId }: Pick<RequestRow, 'enterpriseCustomerUuid' | 'userId' | 'courseId'>,
): Promise<RequestRow[]> =>
  query(trx)
    .where({ enterprise_customer_uuid: enterpriseCustomerUuid, user_id: userId, course_key: courseId ?? '' })
    .orderBy('uuid')
    .forUpdate();

/** The open request of a learner for a course, if there is one. */
export const openOf = async (
  db: Connection,
  enterpriseCustomerUuid: string,
  lmsUserId: number,
  courseId: string,
): Promise<RequestRow | undefined> =>
  query(db)
    .where({ enterprise_customer_uuid: enterpriseCustomerUuid, lms_user_id: lmsUserId, course_key: courseId })
    .whereIn('state', [...open])
    .first();

/** Requests of a learner that are shown with the budgets of a customer (R-REQ-74). */
export const shownOf = async (
  db: Connection,
  enterpriseCustomerUuid: string,
  lmsUserId: number,
): Promise<RequestRow[]> =>
  query(db)
    .where({ enterprise_customer_uuid: enterpriseCustomerUuid, lms_user_id: lmsUserId })
    .whereIn('state', ['requested', 'approved'])
    .orderBy('created', 'desc')
    .orderBy('uuid', 'desc');

/** The next requests to a budget in some states, by uuid, to go through all of them. */
export const nextOf = async (
  db: Connection,
  policyUuid: string,
  states: readonly string[],
  {
    after,
    limit,
    derived,
  }: { readonly after: string | null; readonly limit: number; readonly derived?: string | undefined },
): Promise<RequestRow[]> => {
  const next = query(db)
    .where({ policy_uuid: policyUuid })
    .whereIn('state', [...states])
    .orderBy('uuid')
    .limit(limit);
  if (after !== null) next.where('uuid', '>', after);
  if (derived !== undefined) next.where('learner_request_state', derived);
  return next;
};

/** Newest requests to a budget that wait for a decision, and how many there are. */
export async function waitingFor(
  db: Connection,
  policyUuid: string,
  limit: number,
): Promise<{ readonly newest: RequestRow[]; readonly count: number }> {
  const waiting = () => query(db).where({ policy_uuid: policyUuid, state: 'requested' });
  const [newest, count] = await Promise.all([
    waiting().orderBy('created', 'desc').orderBy('uuid', 'desc').limit(limit),
    waiting().resultSize(),
  ]);
  return { newest, count };
}

/** Actions by uuid; one statement for a page. */
export async function actionsOf(db: Connection, rows: readonly RequestRow[]): Promise<Map<string, ActionRow>> {
  const uuids = rows.flatMap(({ latestActionUuid }) => latestActionUuid ?? []);
  if (uuids.length === 0) return new Map();
  const found = await requestActions.query(db).whereIn('uuid', uuids);
  return new Map(found.map((row) => [row.uuid, row]));
}

export const ownerOf = async (db: Connection, uuid: string): Promise<string | null> =>
  (await find(db, uuid))?.enterpriseCustomerUuid ?? null;

/** Stores the title of a course whose request has none. */
export async function setTitle(trx: Transaction, uuid: string, courseTitle: string): Promise<void> {
  const [before] = await hold(trx, [uuid]);
  if (before?.courseTitle === null)
    await learnerCreditRequests.change(trx, before, { ...before, courseTitle }, 'course');
}

/** The next users with requests by their id, each with the addresses that the requests hold. */
export const heldAddresses = (
  db: Connection,
  after: number,
  limit: number,
): Promise<{ userId: number; userEmail: string }[]> =>
  db(TABLE)
    .where('user_id', '>', after)
    .distinct(learnerCreditRequests.pick('userId', 'userEmail'))
    .orderBy('user_id')
    .limit(limit);

/** Stores the address of a user in the user's requests. */
export async function setAddress(trx: Transaction, userId: number, userEmail: string): Promise<void> {
  const rows = await query(trx).where({ user_id: userId }).orderBy('uuid').forUpdate();
  await trx(TABLE).where({ user_id: userId }).update({ user_email: userEmail });
  recordChanges(
    trx,
    learnerCreditRequests,
    rows.map((before) => ({ before, after: { ...before, userEmail }, note: 'address' })),
  );
}
