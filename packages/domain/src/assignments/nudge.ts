import { appendToOutbox, type OutboxMessage, transaction } from '@enterprise-access/db';
import type { Input, Output } from '../kernel/contract.ts';
import { jobMessage } from '../kernel/jobs/job.ts';
import type { Content } from '../kernel/ports/catalog.ts';
import * as contract from './contract.ts';
import { nudgeLearner } from './job-contracts.ts';
import { configurationOf, type Deps } from './service.ts';
import * as store from './store.ts';
import { contentsOf, datedKeyOf } from './view.ts';

const EXECUTIVE_EDUCATION = 'executive-education-2u';
const DAY_MS = 86_400_000;

/** The date a number of days from now, such as `2026-06-15`, in UTC. */
const dayIn = (days: number, now: Date): string => new Date(now.getTime() + days * DAY_MS).toISOString().slice(0, 10);

/** Whether the content is executive education that starts exactly this number of days from today (R-ASG-62). */
export const beginsIn = (content: Content | undefined, days: number, now: Date): boolean =>
  content?.details.courseType === EXECUTIVE_EDUCATION &&
  content.details.startDate?.toISOString().slice(0, 10) === dayIn(days, now);

export const nudgesOf = (
  rows: readonly Pick<store.AssignmentRow, 'uuid' | 'enterpriseCustomerUuid'>[],
  days: number,
  now: Date,
): OutboxMessage[] =>
  rows.map(({ uuid, enterpriseCustomerUuid }) =>
    jobMessage(nudgeLearner, { assignmentUuid: uuid, startDate: dayIn(days, now), days }, enterpriseCustomerUuid),
  );

/** Enqueues mails for courses that start on the day. Courses without metadata are skipped. */
export async function nudge(deps: Deps, input: Input<typeof contract.nudge>): Promise<Output<typeof contract.nudge>> {
  const configuration = await configurationOf(deps, input.assignmentConfigurationUuid);
  const { uuid, enterpriseCustomerUuid } = configuration;
  const rows = await store.findSeveral(deps.db, uuid, input.assignmentUuids);
  if (rows.length === 0) {
    throw contract.nothingNudged({
      errorMessage: `The list of assignments provided are not associated to the assignment_configuration_uuid: ${uuid}`,
    });
  }
  const accepted = rows.filter(({ state }) => state === 'accepted');
  const contents = await contentsOf(deps, enterpriseCustomerUuid, accepted.map(datedKeyOf));
  const now = deps.clock();
  const days = input.daysBeforeCourseStartDate;
  const due = accepted.filter((row) => beginsIn(contents.get(datedKeyOf(row)), days, now));
  if (due.length === 0) {
    throw contract.nothingNudged({
      errorMessage: `Could not process the nudge email(s) for assignment_configuration_uuid: ${uuid}`,
    });
  }
  await transaction(deps.db, (trx) => appendToOutbox(trx, now, nudgesOf(due, days, now)));
  const nudged = new Set(due.map((row) => row.uuid));
  return {
    nudgedAssignmentUuids: [...nudged],
    unnudgedAssignmentUuids: rows.map((row) => row.uuid).filter((each) => !nudged.has(each)),
  };
}
