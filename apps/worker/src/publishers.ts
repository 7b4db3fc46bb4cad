import type { StoredMessage } from '@enterprise-access/db';
import type { Job, Log } from '@enterprise-access/domain';
import type { JobInsert, PgBoss } from 'pg-boss';
import { handOver } from './hand-over.ts';
import { fullQueues, type QueuedJob } from './queues.ts';
import type { Publisher } from './relay.ts';

/**
 * Puts jobs into their queues under the ids of their messages: a repeat adds nothing. A newer process may ask for jobs
 * that this one does not know: they stay in the outbox for a worker that does, and those behind them go on.
 */
export function jobPublisher(boss: PgBoss, jobs: readonly Job[], log: Log): Publisher {
  const known = new Map(jobs.map((job) => [job.contract.name, job]));
  const unknown = new Set<string>();
  return {
    async take(messages) {
      const groups = Map.groupBy(messages, (message) => message.name);
      const strange = [...groups.keys()].filter((name) => !known.has(name));
      for (const job of strange) {
        if (!unknown.has(job)) log.error({ job }, 'this worker does not know the job and leaves it to another one');
        unknown.add(job);
      }
      // What is taken is marked as sent, all of it; the next look at the lane leaves these out.
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
 * Cuts messages where the ids of a key do not ascend. A queue orders jobs of one key by the time of their insert, which
 * one statement gives to all, and then by id; ids come from the clocks of many machines, and their order is no promise.
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
