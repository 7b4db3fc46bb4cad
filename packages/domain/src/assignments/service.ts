import { appendToOutbox, type Transaction, transaction } from '@enterprise-access/db';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { jobMessage } from '../kernel/jobs/job.ts';
import { pageNumber, pageOf } from '../kernel/page.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { assignmentConfigurations as configurations } from '../policies/index.ts';
import * as contract from './contract.ts';
import { remindLearner, tellCancelled } from './job-contracts.ts';
import * as lists from './lists.ts';
import { cancelable, isAcknowledged } from './rules.ts';
import * as store from './store.ts';
import { type Transition, transition } from './transitions.ts';
import { adminViewsOf, viewsOf } from './view.ts';

export type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'catalog' | 'ledger' | 'followAssignments'>;

const configurationNotFound = () => notFound({}, { message: 'No AssignmentConfiguration matches the given query.' });
const assignmentNotFound = () => notFound({}, { message: 'No LearnerContentAssignment matches the given query.' });
const invalidPage = () => notFound({}, { message: 'Invalid page.' });

const actionActorOf = (actor: Actor, type: store.ActionActor['type'] = 'admin'): store.ActionActor => ({
  userId: actor.userId,
  lmsUserId: actor.lmsUserId,
  type,
  source: 'api',
});

export async function configurationOf(deps: Pick<Deps, 'db'>, uuid: string): Promise<configurations.ConfigurationRow> {
  const found = await configurations.find(deps.db, uuid);
  if (!found) throw configurationNotFound();
  return found;
}

const configurationView = (row: configurations.ConfigurationRow): contract.Configuration => ({
  uuid: row.uuid,
  subsidyAccessPolicy: row.subsidyAccessPolicy,
  enterpriseCustomerUuid: row.enterpriseCustomerUuid,
  active: row.active,
});

export async function listConfigurations(deps: Pick<Deps, 'db'>, input: Input<typeof contract.listConfigurations>) {
  const page = pageNumber(input);
  const slice = { offset: (page - 1) * input.pageSize, limit: input.pageSize };
  const { rows, count } = await configurations.page(deps.db, input, slice);
  if (page > 1 && rows.length === 0) throw invalidPage();
  return pageOf(input, rows.map(configurationView), count);
}

export const getConfiguration = async (deps: Pick<Deps, 'db'>, uuid: string): Promise<contract.Configuration> =>
  configurationView(await configurationOf(deps, uuid));

export async function createConfiguration(
  deps: Pick<Deps, 'db' | 'clock'>,
  { enterpriseCustomerUuid }: Input<typeof contract.createConfiguration>,
): Promise<contract.Configuration> {
  const uuid = newUuid();
  await transaction(deps.db, (trx) => configurations.insert(trx, { uuid, enterpriseCustomerUuid }, deps.clock()));
  return { uuid, subsidyAccessPolicy: null, enterpriseCustomerUuid, active: true };
}

export async function setActive(
  deps: Pick<Deps, 'db' | 'clock'>,
  change: { readonly uuid: string; readonly active?: boolean | undefined },
): Promise<contract.Configuration> {
  const { uuid, active } = change;
  if (active !== undefined)
    await transaction(deps.db, (trx) => configurations.setActive(trx, uuid, active, deps.clock()));
  return getConfiguration(deps, uuid);
}

export async function list(deps: Deps, input: Input<typeof contract.list>): Promise<Output<typeof contract.list>> {
  const page = pageNumber(input);
  const { assignmentConfigurationUuid: uuid } = input;
  const slice = { offset: (page - 1) * input.pageSize, limit: input.pageSize };
  const [configuration, counts, rows] = await Promise.all([
    configurationOf(deps, uuid),
    lists.countsOf(deps.db, uuid, input),
    lists.pageOf(deps.db, uuid, input, lists.orderOf(input.ordering), slice),
  ]);
  if (page > 1 && rows.length === 0) throw invalidPage();
  const items = await adminViewsOf(deps, configuration, rows);
  return { ...pageOf(input, items, counts.count), learnerStateCounts: counts.learnerStates };
}

export async function get(deps: Deps, input: Input<typeof contract.get>): Promise<contract.AdminAssignment> {
  const configuration = await configurationOf(deps, input.assignmentConfigurationUuid);
  const row = await store.find(deps.db, configuration.uuid, input.uuid);
  const [view] = row ? await adminViewsOf(deps, configuration, [row]) : [];
  if (!view) throw assignmentNotFound();
  return view;
}

/** An assignment with a pending redemption cannot be cancelled. */
const canCancel = (row: store.AssignmentRow): boolean => cancelable.includes(row.state) && row.redemptionUuid === null;

const cancelled =
  (at: Date) =>
  (before: store.AssignmentRow): Transition => ({ before, changes: { state: 'cancelled', cancelledAt: at } });

async function cancelHeld(
  trx: Transaction,
  deps: Deps,
  configuration: configurations.ConfigurationRow,
  held: readonly store.AssignmentRow[],
  by: store.ActionActor & { readonly at: Date },
): Promise<void> {
  const followed = await transition(trx, deps, configuration, held.map(cancelled(by.at)), by);
  const own = held.filter(({ uuid }) => !followed.has(uuid));
  await tell(trx, tellCancelled, own, by.at);
}

/** Enqueues one mail per learner in the transaction of its cause. */
const tell = (
  trx: Transaction,
  job: typeof tellCancelled,
  rows: readonly store.AssignmentRow[],
  at: Date,
): Promise<void> => {
  const occasion = at.toISOString();
  return appendToOutbox(
    trx,
    at,
    rows.map(({ uuid, enterpriseCustomerUuid }) =>
      jobMessage(job, { assignmentUuid: uuid, occasion }, enterpriseCustomerUuid),
    ),
  );
};

/** R-ASG-60: cancelled assignments count as done; the others are cancelled even if some of the list cannot be. */
export async function cancel(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.cancel>,
): Promise<Output<typeof contract.cancel>> {
  const configuration = await configurationOf(deps, input.assignmentConfigurationUuid);
  const rows = await transaction(deps.db, async (trx) => {
    const at = deps.clock();
    const held = await store.findForUpdate(trx, configuration.uuid, input.assignmentUuids);
    await cancelHeld(trx, deps, configuration, held.filter(canCancel), { ...actionActorOf(actor), at });
    return held;
  });
  const done = rows.filter((row) => canCancel(row) || row.state === 'cancelled');
  return allOf(input.assignmentUuids, done);
}

/**
 * Returns the assignments if all were changed; otherwise throws an error with the others. A uuid that is listed twice
 * counts as one that was not changed.
 */
function allOf(uuids: readonly string[], done: readonly store.AssignmentRow[]): { changed: string[] } {
  const changed = done.map(({ uuid }) => uuid);
  if (changed.length === uuids.length) return { changed };
  const unchanged = uuids.filter((uuid, at) => !changed.includes(uuid) || uuids.indexOf(uuid) !== at);
  throw contract.notAllChanged({ changed, unchanged });
}

/** Rows per transaction when iterating over a whole configuration. */
const BATCH = 500;

/** R-ASG-61: assignments that are not allocated are skipped. */
async function remindRows(
  deps: Deps,
  configuration: configurations.ConfigurationRow,
  by: store.ActionActor,
  uuids: readonly string[],
): Promise<store.AssignmentRow[]> {
  return transaction(deps.db, async (trx) => {
    const at = deps.clock();
    const held = await store.findForUpdate(trx, configuration.uuid, uuids);
    const waiting = held.filter(({ state }) => state === 'allocated');
    await transition(
      trx,
      deps,
      configuration,
      waiting.map((before) => ({ before, changes: {}, note: 'reminded' })),
      { ...by, at },
    );
    await tell(trx, remindLearner, waiting, at);
    return held;
  });
}

export async function remind(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.remind>,
): Promise<Output<typeof contract.remind>> {
  const configuration = await configurationOf(deps, input.assignmentConfigurationUuid);
  const found = await remindRows(deps, configuration, actionActorOf(actor), input.assignmentUuids);
  if (found.length < input.assignmentUuids.length) return allOf(input.assignmentUuids, found);
  return { changed: found.filter(({ state }) => state === 'allocated').map(({ uuid }) => uuid) };
}

/** Processes all matching rows once, in transactions of bounded size. */
async function forAll(
  deps: Deps,
  configurationUuid: string,
  filter: lists.Filter,
  states: readonly contract.State[],
  work: (uuids: readonly string[]) => Promise<number>,
): Promise<Output<typeof contract.cancelAll>> {
  let changed = 0;
  let last: string | null = null;
  for (;;) {
    const next: { uuid: string }[] = await lists.nextMatching(deps.db, configurationUuid, filter, states, {
      uuid: last,
      limit: BATCH,
    });
    if (next.length > 0) changed += await work(next.map(({ uuid }) => uuid));
    last = next.at(-1)?.uuid ?? null;
    if (next.length < BATCH) break;
  }
  if (changed === 0) throw contract.nothingToChange({});
  return { changed };
}

export async function cancelAll(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.cancelAll>,
): Promise<Output<typeof contract.cancelAll>> {
  const configuration = await configurationOf(deps, input.assignmentConfigurationUuid);
  return forAll(deps, configuration.uuid, input, cancelable, (uuids) =>
    transaction(deps.db, async (trx) => {
      const at = deps.clock();
      const held = (await store.findForUpdate(trx, configuration.uuid, uuids)).filter(canCancel);
      await cancelHeld(trx, deps, configuration, held, { ...actionActorOf(actor), at });
      return held.length;
    }),
  );
}

export async function remindAll(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.remindAll>,
): Promise<Output<typeof contract.remindAll>> {
  const configuration = await configurationOf(deps, input.assignmentConfigurationUuid);
  return forAll(deps, configuration.uuid, input, ['allocated'], async (uuids) => {
    const held = await remindRows(deps, configuration, actionActorOf(actor), uuids);
    return held.filter(({ state }) => state === 'allocated').length;
  });
}

/** R-ASG-40 to R-ASG-42, for the caller's own assignments only. */
export async function acknowledge(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.acknowledge>,
): Promise<Output<typeof contract.acknowledge>> {
  const configuration = await configurationOf(deps, input.assignmentConfigurationUuid);
  const { lmsUserId } = actor;
  return transaction(deps.db, async (trx) => {
    const at = deps.clock();
    const held = await store.findForUpdate(trx, configuration.uuid, input.assignmentUuids);
    const own = held.filter((row) => lmsUserId !== null && row.lmsUserId === lmsUserId);
    if (own.length === 0) throw nothingToAcknowledge(input.assignmentUuids, lmsUserId);
    const actions = await store.actionsOf(
      trx,
      own.map(({ uuid }) => uuid),
    );
    const verdicts = own.map((row) => ({ row, verdict: acknowledged(row, actions.get(row.uuid) ?? []) }));
    const fresh = verdicts.filter(({ verdict }) => verdict === false).map(({ row }) => row);
    await store.insertActions(
      trx,
      fresh.map((row) => ({
        row,
        actionType: row.state === 'expired' ? ('expired_acknowledged' as const) : ('cancelled_acknowledged' as const),
      })),
      { ...actionActorOf(actor, 'learner'), at },
    );
    store.rememberRows(
      trx,
      fresh.map((row) => ({ before: row, after: row, note: 'acknowledged' })),
    );
    const of = (wanted: boolean | null) =>
      verdicts.filter(({ verdict }) => verdict === wanted).map(({ row }) => row.uuid);
    return {
      acknowledgedAssignments: of(false),
      alreadyAcknowledgedAssignments: of(true),
      unacknowledgedAssignments: of(null),
    };
  });
}

export const acknowledged = (row: store.AssignmentRow, actions: readonly store.ActionRow[]): boolean | null =>
  isAcknowledged({ state: row.state, actions, endedAt: row.state === 'expired' ? row.expiredAt : row.cancelledAt });

const nothingToAcknowledge = (uuids: readonly string[], lmsUserId: number | null) =>
  contract.nothingToAcknowledge({
    error: `No assignments found for assignment_uuids=[${uuids.map((uuid) => `'${uuid}'`).join(', ')}] and lms_user_id=${lmsUserId ?? 'None'}.`,
  });

/** The caller's own rows: by account, and by address if the row has no other account. */
export async function listOwn(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.listOwn>,
): Promise<Output<typeof contract.listOwn>> {
  const configuration = await configurationOf(deps, input.assignmentConfigurationUuid);
  const page = pageNumber(input);
  const rows = await store.ownedBy(deps.db, configuration.uuid, actor);
  const start = (page - 1) * input.pageSize;
  const items = rows.slice(start, start + input.pageSize);
  if (page > 1 && items.length === 0) throw invalidPage();
  return pageOf(input, await viewsOf(deps, configuration, items), rows.length);
}

export async function getOwn(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.getOwn>,
): Promise<contract.Assignment> {
  const configuration = await configurationOf(deps, input.assignmentConfigurationUuid);
  const row = (await store.ownedBy(deps.db, configuration.uuid, actor)).find(({ uuid }) => uuid === input.uuid);
  const [view] = row ? await viewsOf(deps, configuration, [row]) : [];
  if (!view) throw assignmentNotFound();
  return view;
}
