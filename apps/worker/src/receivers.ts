import type { StoredMessage } from '@enterprise-access/db';
import type { Job, Log } from '@enterprise-access/domain';
import type { JobInsert, PgBoss } from 'pg-boss';
import { handOver } from './hand-over.ts';
import type { QueuedJob } from './queues.ts';
import type { Receiver } from './relay.ts';

/** Puts jobs into their queues under the ids of their messages: a repeat adds nothing. */
export function jobReceiver(boss: PgBoss, jobs: readonly Job[], log: Log): Receiver {
  const known = new Map(jobs.map((job) => [job.contract.name, job]));
  return async (messages) => {
    for (const [name, group] of Map.groupBy(messages, (message) => message.name)) {
      const job = known.get(name);
      if (!job) {
        // A newer process asked for what this one does not know: that one will take it over.
        log.error({ job: name, count: group.length }, 'nobody knows this job; it is left to another worker');
        throw new Error(`There is no job named ${name}.`);
      }
      const queueing = handOver('queue', group);
      const inserts = queueing.messages.map((message) => insertOf(job, message));
      await queueing.during(() => boss.insert(name, inserts));
    }
  };
}

const insertOf = (job: Job, message: StoredMessage): JobInsert<QueuedJob> => ({
  id: message.uuid,
  data: { payload: message.payload, trace: message.trace },
  ...(job.contract.keyOf ? { singletonKey: message.key } : {}),
});
