import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import type { Input, Output } from '../../kernel/contract.ts';
import { cursorOf, keyOf } from '../../kernel/keyset.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { spacedTime } from '../legacy.ts';
import { planNotFound } from '../plans/service.ts';
import * as store from '../store.ts';
import { activationLink } from '../view.ts';
import type * as contract from './contract.ts';

type Deps = Pick<Runtime, 'db' | 'settings'>;

/** The first part is small, so that the reply begins at once. */
const FIRST_ROWS = 500;
const ROWS = 5_000;
const statuses = ['activated', 'assigned', 'revoked'] as const;

const place = z.object({ status: z.enum(statuses), uuid: z.guid() });
const COLUMNS = ['activation_date', 'activation_link', 'last_remind_date', 'status', 'user_email'];

const timeOrNothing = (at: Date | null): string => (at === null ? '' : spacedTime(at));

/** One part of the file; the statuses one after the other, each in the order of the licences' uuids. */
export async function csv(
  { db, settings }: Deps,
  { planUuid, cursor }: Input<typeof contract.csv>,
): Promise<Output<typeof contract.csv>> {
  const after = keyOf(place, cursor);
  const plan = await store.findPlan(db, planUuid);
  if (!plan) throw planNotFound();
  const slug = (await store.findAgreement(db, plan.customerAgreementUuid))?.enterpriseCustomerSlug ?? null;
  const rows = await rowsAfter(db, planUuid, after, after === null ? FIRST_ROWS : ROWS);
  const last = rows.at(-1);
  const lines = rows.map((row) => [
    timeOrNothing(row.activationDate),
    activationLink(settings, slug, row.activationKey),
    timeOrNothing(row.lastRemindDate),
    row.status,
    row.userEmail ?? '',
  ]);
  const isFull = rows.length === (after === null ? FIRST_ROWS : ROWS);
  return {
    content: textOf(lines, after === null),
    nextCursor: isFull && last ? cursorOf({ status: last.status, uuid: last.uuid }) : null,
  };
}

/** A file without licences has no header either. A text that a spreadsheet would take for a formula gets a quote. */
const textOf = (lines: readonly (readonly string[])[], isFirst: boolean): string =>
  lines.length === 0
    ? ''
    : stringify([...(isFirst ? [COLUMNS] : []), ...lines], { escape_formulas: true, record_delimiter: 'windows' });

async function rowsAfter(
  db: Deps['db'],
  planUuid: string,
  after: z.infer<typeof place> | null,
  limit: number,
): Promise<store.CsvRow[]> {
  const rows: store.CsvRow[] = [];
  const from = after === null ? 0 : statuses.indexOf(after.status);
  for (const status of statuses.slice(from)) {
    if (rows.length === limit) break;
    const uuid = status === after?.status ? after.uuid : null;
    rows.push(...(await store.licensesInStatus(db, planUuid, status, uuid, limit - rows.length)));
  }
  return rows;
}
