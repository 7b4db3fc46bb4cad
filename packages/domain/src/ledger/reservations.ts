import { type Connection, changeOne, type Database, insertIfAbsent } from '@enterprise-access/db';
import type { Reservations } from '../kernel/ports/ledger.ts';

const TABLE = 'subsidy_reservations';

/**
 * What assignments hold of balances that are not in our database. The balance to compare with was read a moment before,
 * so the service itself has the last word when something is spent; among our own allocations nothing is held twice.
 */
export const storedReservations = (db: Database): Reservations => ({
  async of(subsidyUuids) {
    const rows: { subsidy_uuid: string; reserved_cents: number }[] = await db(TABLE)
      .whereIn('subsidy_uuid', subsidyUuids)
      .select('subsidy_uuid', 'reserved_cents');
    return new Map(rows.map((row) => [row.subsidy_uuid, row.reserved_cents]));
  },
  async add(trx, subsidyUuid, cents, balanceCents) {
    await insertIfAbsent(trx, TABLE, { subsidy_uuid: subsidyUuid, reserved_cents: 0 });
    const held = await of(trx, subsidyUuid)
      .whereRaw('reserved_cents + ? <= ?', [cents, balanceCents])
      .update({ reserved_cents: trx.raw('reserved_cents + ?', [cents]) });
    return held === 1;
  },
  async remove(trx, subsidyUuid, cents) {
    await changeOne(
      of(trx, subsidyUuid)
        .where('reserved_cents', '>=', cents)
        .update({ reserved_cents: trx.raw('reserved_cents - ?', [cents]) }),
      `subsidy ${subsidyUuid} releases ${cents} reserved cents`,
    );
  },
});

const of = (db: Connection, subsidyUuid: string) => db(TABLE).where({ subsidy_uuid: subsidyUuid });
