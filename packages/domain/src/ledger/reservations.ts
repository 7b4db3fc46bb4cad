import { type Connection, changeOne, type Database, insertIfAbsent, type Row } from '@enterprise-access/db';
import type { Reservations } from '../kernel/ports/ledger.ts';
import { subsidyReservations } from './tables.ts';

/**
 * Reservations of assignments in remote ledgers. They are compared with a balance that was read just before, so the
 * remote service makes the final decision when value is spent. Our own allocations cannot reserve the same value
 * twice.
 */
export const storedReservations = (db: Database): Reservations => ({
  async of(subsidyUuids) {
    const rows: Pick<Row<typeof subsidyReservations>, 'subsidyUuid' | 'reservedCents'>[] = await db(
      subsidyReservations.table,
    )
      .whereIn('subsidy_uuid', subsidyUuids)
      .select(subsidyReservations.pick('subsidyUuid', 'reservedCents'));
    return new Map(rows.map((row) => [row.subsidyUuid, row.reservedCents]));
  },
  async add(trx, { uuid: subsidyUuid, enterpriseCustomerUuid, balanceCents }, cents) {
    const row = subsidyReservations.encode({ subsidyUuid, enterpriseCustomerUuid, reservedCents: 0 });
    await insertIfAbsent(trx, subsidyReservations.table, row);
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

const of = (db: Connection, subsidyUuid: string) => db(subsidyReservations.table).where({ subsidy_uuid: subsidyUuid });
