import type { StoredMessage } from '@enterprise-access/db';
import type { Job, Log } from '@enterprise-access/domain';
import type { JobInsert, PgBoss } from 'pg-boss';
import { handOver } from './hand-over.ts';
import { fullQueues, type QueuedJob } from './queues.ts';
import type { Publisher } from './relay.ts';

/**
 * Inserts jobs into their queues with the ids of their outbox messages, so repeating it is safe. Jobs of a newer
 * release that this worker does not know stay in the outbox for a newer worker and do not block later ones.
 */
export function jobPublisher(boss: PgBoss, jobs: readonly Job[], log: Log): Publisher {
  const known = new Map(jobs.map((job) => [job.contract.name, job]));
  const unknown = new Set<string>();
  return {
    async publish(messages) {
      const groups = Map.groupBy(messages, (message) => message.name);
      const strange = [...groups.keys()].filter((name) => !known.has(name));
      for (const job of strange) {
        if (!unknown.has(job)) log.error({ job }, 'unknown job; left for another worker');
        unknown.add(job);
      }
      // All messages of a batch are marked as sent, so fail here; the next poll of the lane excludes these names.
      if (strange.length > 0) throw new Error(`There is no job named ${strange.join(', ')}.`);
      for (const [name, group] of groups) {
        for (const run of known.get(name)?.contract.keyOf ? ascendingRuns(group) : [group]) {
          const queueing = handOver('queue', run);
          const inserts = queueing.messages.map((message) => insertOf(message));
          await queueing.during(() => boss.insert(name, inserts));
        }
      }
    },
    saturated: async () => [...unknown, ...(await fullQueues(boss, [...known.keys()]))],
  };
}

const insertOf = (message: StoredMessage): JobInsert<QueuedJob> => ({
  id: message.uuid,
  data: { payload: message.payload, trace: message.trace, correlationId: message.correlationId },
  // Without a key of its own a job has its uuid, which means nothing to its queue.
  singletonKey: message.key,
});

/**
 * Splits messages where the ids of a key do not ascend. A queue orders jobs of one key by insert time, which is the
 * same for all jobs of a statement, and then by id. Ids contain the clocks of different machines, so their order is
 * not reliable.
 */
export function ascendingRuns<M extends Pick<StoredMessage, 'key' | 'uuid'>>(messages: readonly M[]): M[][] {
  const runs: M[][] = [];
  let run: M[] = [];
  let last = new Map<string, string>();
  for (const message of messages) {
    if ((last.get(message.key) ?? '') > message.uuid) {
      runs.push(run);
      run = [];
      last = new Map();
    }
    run.push(message);
    last.set(message.key, message.uuid);
  }
  return run.length > 0 ? [...runs, run] : runs;
}
