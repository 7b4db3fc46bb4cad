import type { Connection } from '@enterprise-access/db';
import type { Content } from '../kernel/ports/catalog.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { LearnerAssignment } from './contract.ts';
import { isActionAcknowledged } from './rules.ts';
import { acknowledged } from './service.ts';
import { type ActionRow, type AssignmentRow, actionsOf } from './store.ts';
import { contentsOf, datedKeyOf, viewOf } from './view.ts';

type Deps = Pick<Runtime, 'db' | 'catalog' | 'log'>;

/** Assignments for the learner's page (R-ASG-43), without those whose end the learner has acknowledged. */
export async function unacknowledged(
  deps: Deps,
  customerUuid: string,
  rows: readonly AssignmentRow[],
  db: Connection = deps.db,
): Promise<{ row: AssignmentRow; view: (subsidyExpiration: Date | null) => LearnerAssignment }[]> {
  if (rows.length === 0) return [];
  const actions = await actionsOf(
    db,
    rows.map(({ uuid }) => uuid),
  );
  const shown = rows.filter((row) => acknowledged(row, actions.get(row.uuid) ?? []) !== true);
  const contents = await contentsOf(deps, customerUuid, shown.map(datedKeyOf));
  return shown.map((row) => ({
    row,
    view: (subsidyExpiration) => learnerView(row, actions.get(row.uuid) ?? [], { subsidyExpiration, contents }),
  }));
}

function learnerView(
  row: AssignmentRow,
  actions: readonly ActionRow[],
  dates: { subsidyExpiration: Date | null; contents: ReadonlyMap<string, Content> },
): LearnerAssignment {
  const content = dates.contents.get(datedKeyOf(row));
  const view = viewOf(row, actions, dates);
  return {
    ...view,
    actions: view.actions.map((action) => ({
      ...action,
      learnerAcknowledged: isActionAcknowledged(action, { state: row.state, actions }),
    })),
    contentMetadata: content ? metadataOf(content) : null,
    learnerAcknowledged: acknowledged(row, actions),
  };
}

const metadataOf = ({ enrollByDate, details }: Content): LearnerAssignment['contentMetadata'] => ({
  startDate: details.startDate,
  endDate: details.endDate,
  enrollByDate,
  contentPrice: details.priceUsd,
  courseType: details.courseType,
  partners: details.partners.map((partner) => ({ ...partner })),
});
