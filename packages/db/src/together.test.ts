import { describe, expect, inject, test } from 'vitest';
import { isUniqueViolation } from './failures.ts';
import { createTestDatabase } from './testing.ts';
import { insertTogether } from './together.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

describe.each(dialects)('inserts together on %s', (dialect) => {
  test('are one statement, keep every character, and fail like a single one', async () => {
    const { db, drop } = await createTestDatabase(inject('servers'), dialect, 2);
    const row = (messageId: string) => ({ consumer: 'a;b', message_id: messageId, received: new Date() });
    const probe = (slot: number) => ({ slot, written: new Date() });
    const statements: string[] = [];
    await db.transaction(async (trx) => {
      trx.on('query', ({ sql }: { sql: string }) => statements.push(sql));
      const text = `it's "one"; end -- ? ?? $1 \\`;
      await insertTogether(trx, [
        trx('inbox').insert([row(text), row('second')]),
        trx('inbox').insert(row('third')).onConflict().ignore(),
        trx('write_probes').insert(probe(901)),
      ]);
      expect(await trx('inbox').orderBy('message_id').pluck('message_id')).toEqual(
        expect.arrayContaining([text, 'second', 'third']),
      );
    });
    expect(statements.filter((sql) => /insert/i.test(sql))).toHaveLength(1);
    const failing = db.transaction(async (trx) =>
      insertTogether(trx, [trx('write_probes').insert(probe(902)), trx('inbox').insert(row('third'))]),
    );
    await expect(failing.catch(isUniqueViolation)).resolves.toBe(true);
    expect(await db('write_probes').where({ slot: 902 })).toEqual([]);
    await db.transaction((trx) => insertTogether(trx, []));
    await drop();
  });
});
