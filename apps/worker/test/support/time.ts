import type { Database } from '@enterprise-access/db';

/**
 * A minute passes for what waits for a sign of life of processes that are dead: leases end, and the queues see jobs
 * without a heartbeat. Only when no worker lives: for one that does, it would be a minute without the database.
 */
export async function passMinute({ db, queues }: { db: Database; queues: Database }): Promise<void> {
  for (const table of ['outbox_lanes', 'bus_positions'])
    await db(table)
      .whereNotNull('lease_owner')
      .update({ lease_ends: db.raw(`lease_ends - interval '60' second`) });
  const minute = queues.raw(`interval '1 minute'`);
  await queues('pgboss.job')
    .where({ state: 'active' })
    .update({ heartbeat_on: queues.raw('heartbeat_on - ?', [minute]) });
  // When somebody last looked for such jobs.
  await queues('pgboss.queue').update({
    monitor_on: queues.raw('monitor_on - ?', [minute]),
    monitor_claim_on: queues.raw('monitor_claim_on - ?', [minute]),
  });
}
