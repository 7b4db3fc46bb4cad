import { transaction } from '@enterprise-access/db';
import type { Input, Output } from '../kernel/contract.ts';
import { notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { enqueue } from '../kernel/jobs/job.ts';
import { cursorOf, keyOf, placeKey } from '../kernel/keyset.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type * as contract from './contract.ts';
import { writeExport } from './export-job.ts';
import { filterOf, type Viewer } from './filter.ts';
import * as store from './store.ts';

/** Takes the wish in; a job writes the file. */
export async function exportEntries(
  { db, clock }: Pick<Runtime, 'db' | 'clock'>,
  viewer: Viewer,
  input: Input<typeof contract.exportEntries>,
): Promise<Output<typeof contract.exportEntries>> {
  const row: store.ExportRow = {
    uuid: newUuid(),
    enterpriseCustomerUuid: viewer.customer,
    format: input.format,
    isInternal: viewer.isInternal,
    filter: filterOf(input),
    created: clock(),
    finished: null,
  };
  const { uuid, enterpriseCustomerUuid } = row;
  const jobUuid = await transaction(db, async (trx) => {
    await store.insertExport(trx, row);
    return enqueue(trx, clock(), writeExport, { exportUuid: uuid, enterpriseCustomerUuid });
  });
  return { uuid, jobUuid };
}

export async function exportPart(
  { db }: Pick<Runtime, 'db'>,
  viewer: Viewer,
  input: Input<typeof contract.exportPart>,
): Promise<Output<typeof contract.exportPart>> {
  const position = keyOf(placeKey.min(1), input.cursor) ?? 1;
  const wanted = await store.findExport(db, input.uuid);
  // What staff had written for themselves holds more than a customer may see.
  if (!wanted || (wanted.isInternal && !viewer.isInternal)) throw notFound({});
  const { format, finished } = wanted;
  // In this order: what is complete now has all its parts when they are looked for.
  const part = await store.findPart(db, wanted.uuid, position);
  if (!part) return { format, content: '', lineCount: 0, nextCursor: finished === null ? cursorOf(position) : null };
  const isLast = finished !== null && !(await store.findPart(db, wanted.uuid, position + 1));
  const { content, lineCount } = part;
  return { format, content, lineCount, nextCursor: isLast ? null : cursorOf(position + 1) };
}
