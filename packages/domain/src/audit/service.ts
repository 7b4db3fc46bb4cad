import { z } from 'zod';
import { type Actor, isPermitted } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { notFound } from '../kernel/errors.ts';
import { keyOf, keysetPage, placeKey } from '../kernel/keyset.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type * as contract from './contract.ts';
import { filterOf, type Viewer } from './filter.ts';
import { permissions } from './permissions.ts';
import { MOST_OTHERS, sentenceOf } from './rules.ts';
import * as store from './store.ts';
import { changeOf, entryOf } from './view.ts';

type Deps = Pick<Runtime, 'db'>;

/** What a caller may see who asks about a customer, or about all of them. */
export const viewerOf = ({ actor, customer }: { readonly actor: Actor; readonly customer: string | null }): Viewer => ({
  customer,
  isInternal: isPermitted(actor, permissions.has_internal_access, customer),
});

const FIRST_CHANGES = 10;

export async function list(
  { db }: Deps,
  viewer: Viewer,
  input: Input<typeof contract.list>,
): Promise<Output<typeof contract.list>> {
  const after = keyOf(z.guid(), input.cursor);
  const rows = await store.entriesOf(db, viewer, filterOf(input), { order: 'desc', after, limit: input.pageSize + 1 });
  const page = keysetPage(rows, input.pageSize, ({ uuid }) => uuid);
  const uuids = page.items.map(({ uuid }) => uuid);
  const [changes, counts] = await Promise.all([
    store.firstChanges(db, uuids, FIRST_CHANGES),
    store.changeCounts(db, uuids),
  ]);
  const items = page.items.map((row) => ({
    ...entryOf(row, viewer),
    changes: (changes.get(row.uuid) ?? []).map((change) => changeOf(change, viewer)),
    changeCount: counts.get(row.uuid) ?? 0,
  }));
  return { ...page, items };
}

export async function get(
  { db }: Deps,
  viewer: Viewer,
  { uuid, cursor, pageSize }: Input<typeof contract.get>,
): Promise<Output<typeof contract.get>> {
  const after = keyOf(placeKey, cursor) ?? 0;
  const entry = await store.findEntry(db, uuid);
  if (!entry) throw notFound({});
  const [rows, counts] = await Promise.all([
    store.changesAfter(db, uuid, after, pageSize + 1),
    store.changeCounts(db, [uuid]),
  ]);
  const page = keysetPage(rows, pageSize, ({ position }) => position);
  return {
    ...entryOf(entry, viewer),
    changeCount: counts.get(uuid) ?? 0,
    items: page.items.map((change) => changeOf(change, viewer)),
    nextCursor: page.nextCursor,
  };
}

const place = z.object({ entryUuid: z.guid(), position: placeKey });

export async function timeline(
  { db }: Deps,
  viewer: Viewer,
  { subjectUuid, order, cursor, pageSize }: Input<typeof contract.timeline>,
): Promise<Output<typeof contract.timeline>> {
  const rows = await store.changesOfSubject(db, viewer, subjectUuid, {
    order: order === 'oldest' ? 'asc' : 'desc',
    after: keyOf(place, cursor),
    limit: pageSize + 1,
  });
  const page = keysetPage(rows, pageSize, ({ change: { entryUuid, position } }) => ({ entryUuid, position }));
  const entries = page.items.map(({ entry }) => entry.uuid);
  const [others, counts] = await Promise.all([
    store.firstChanges(db, entries, MOST_OTHERS, subjectUuid),
    store.changeCounts(db, entries, subjectUuid),
  ]);
  const items = page.items.map((row) => {
    const [entry, change] = [entryOf(row.entry, viewer), changeOf(row.change, viewer)];
    const together = { named: others.get(entry.uuid) ?? [], count: counts.get(entry.uuid) ?? 0 };
    return {
      entryUuid: entry.uuid,
      created: entry.created,
      sentence: sentenceOf(entry, change, together),
      correlationId: entry.correlationId,
      change,
    };
  });
  return { ...page, items };
}

export async function followups(
  { db }: Deps,
  viewer: Viewer,
  { correlationId, cursor, pageSize }: Input<typeof contract.followups>,
): Promise<Output<typeof contract.followups>> {
  const after = keyOf(z.int().min(0), cursor) ?? 0;
  const rows = await store.messagesOf(db, viewer, correlationId, { after, limit: pageSize + 1 });
  const page = keysetPage(rows, pageSize, ({ position }) => position);
  return { ...page, items: page.items.map(({ position: _position, ...message }) => message) };
}
