import { type Connection, consumedBetween } from '@enterprise-access/db';

/** Days since a date for which reminders of the group are planned. */
export async function plannedDays(
  db: Connection,
  planner: string,
  groupUuid: string,
  since: string,
): Promise<ReadonlySet<string>> {
  const ids = await consumedBetween(db, planner, `${groupUuid}:${since}`, `${groupUuid}:9999`);
  return new Set(ids.map((id) => id.slice(groupUuid.length + 1)));
}
