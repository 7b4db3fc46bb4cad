import type { Connection } from '@enterprise-access/db';
import type { Content } from '../kernel/ports/catalog.ts';
import { orUnavailable, UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { ConfigurationRow } from '../policies/index.ts';
import type { Action, AdminAssignment, Assignment } from './contract.ts';
import { classOf, earliestExpiration, learnerStateOf, recentAction } from './rules.ts';
import { type ActionRow, type AssignmentRow, actionsOf } from './store.ts';

type Deps = Pick<Runtime, 'db' | 'log' | 'catalog' | 'ledger'>;

/** The run that provides the dates, or the course if there is no run yet (R-ASG-53). */
export const datedKeyOf = (row: AssignmentRow): string => row.preferredCourseRunKey ?? row.contentKey;

/**
 * Contents by key, one call per uncached key. Contents are missing if the catalog does not answer: the page is shown
 * without deadlines rather than not at all.
 */
export async function contentsOf(
  deps: Pick<Deps, 'catalog' | 'log'>,
  customerUuid: string,
  keys: readonly string[],
): Promise<Map<string, Content>> {
  const found = await Promise.all(
    [...new Set(keys)].map(async (key) => {
      try {
        return [key, await deps.catalog.content(customerUuid, key)] as const;
      } catch (error) {
        if (!(error instanceof UpstreamFailure || error instanceof UpstreamRefusal)) throw error;
        deps.log.warn({ err: error, contentKey: key }, 'assignments are shown without the dates of their content');
        return [key, null] as const;
      }
    }),
  );
  return new Map(found.flatMap(([key, content]) => (content ? [[key, content] as const] : [])));
}

const actionView = ({ assignmentUuid: _assignment, ...action }: ActionRow): Action => action;

interface Dates {
  readonly subsidyExpiration: Date | null;
  readonly contents: ReadonlyMap<string, Content>;
}

/** Loads the related data of a page of assignments, in a constant number of statements. */
export async function surroundings(
  deps: Deps,
  configuration: ConfigurationRow,
  rows: readonly AssignmentRow[],
  db: Connection = deps.db,
): Promise<Dates & { readonly actions: ReadonlyMap<string, ActionRow[]> }> {
  const { subsidyUuid, enterpriseCustomerUuid } = configuration;
  const [actions, subsidies, contents] = await Promise.all([
    actionsOf(
      db,
      rows.map(({ uuid }) => uuid),
    ),
    subsidyUuid === null || rows.length === 0 ? null : orUnavailable(deps.ledger.subsidies([subsidyUuid])),
    contentsOf(deps, enterpriseCustomerUuid, rows.map(datedKeyOf)),
  ]);
  const subsidyExpiration = (subsidyUuid !== null && subsidies?.get(subsidyUuid)?.expirationDatetime) || null;
  return { actions, contents, subsidyExpiration };
}

/** R-ASG-50 to R-ASG-53 for one row. */
export const expirationOf = (row: AssignmentRow, { subsidyExpiration, contents }: Dates) =>
  earliestExpiration({
    subsidyExpiration,
    enrollBy: contents.get(datedKeyOf(row))?.enrollByDate ?? null,
    allocatedAt: row.allocatedAt,
  });

export async function viewsOf(
  deps: Deps,
  configuration: ConfigurationRow,
  rows: readonly AssignmentRow[],
): Promise<Assignment[]> {
  const around = await surroundings(deps, configuration, rows);
  return rows.map((row) => viewOf(row, around.actions.get(row.uuid) ?? [], around));
}

export const viewOf = (row: AssignmentRow, actions: readonly ActionRow[], dates: Dates): Assignment => ({
  uuid: row.uuid,
  assignmentConfiguration: row.assignmentConfigurationUuid,
  learnerEmail: row.learnerEmail,
  lmsUserId: row.lmsUserId,
  contentKey: row.contentKey,
  parentContentKey: row.parentContentKey,
  isAssignedCourseRun: row.isAssignedCourseRun,
  contentTitle: row.contentTitle,
  // Zero, not minus zero.
  contentQuantity: 0 - row.priceCents,
  state: row.state,
  transactionUuid: row.transactionUuid,
  actions: actions.map(actionView),
  earliestPossibleExpiration: expirationOf(row, dates),
});

export async function adminViewsOf(
  deps: Deps,
  configuration: ConfigurationRow,
  rows: readonly AssignmentRow[],
): Promise<AdminAssignment[]> {
  const views = await viewsOf(deps, configuration, rows);
  return rows.flatMap((row, at) => {
    const view = views[at];
    return view ? [{ ...view, ...adminFieldsOf(row) }] : [];
  });
}

/** R-ASG-31 to R-ASG-34. */
const adminFieldsOf = (row: AssignmentRow) => ({
  recentAction: recentAction(row),
  learnerState: learnerStateOf(classOf(row)),
  errorReason:
    (row.state === 'errored' || row.state === 'allocated') && row.errorActionType !== null && row.errorReason !== null
      ? { actionType: row.errorActionType, errorReason: row.errorReason }
      : null,
});
