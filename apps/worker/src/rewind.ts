import type { EventBus } from '@enterprise-access/bus';
import { type Consumer, defineJob, events, implementJob, type Job } from '@enterprise-access/domain';
import { z } from 'zod';

const contract = defineJob({
  name: 'events.rewind',
  summary: 'Rewind the event consumers to a time. Only while no worker runs; events that were processed are skipped.',
  payload: z.object({
    to: z.iso.datetime({ offset: true }).describe('Time to rewind to; the first event at or after it comes next.'),
  }),
  result: z.object({ topics: z.int().min(0).describe('Topics that were rewound, or would be.') }),
  retry: { limit: 0, delaySeconds: 1, maximumDelaySeconds: 1 },
  timeoutSeconds: 60,
});

/** Topics of the events that have a consumer. */
export const topicsOf = (consumers: readonly Consumer[]): string[] => [
  ...new Set(consumers.flatMap(({ type }) => events.get(type)?.topic ?? [])),
];

/** For the command line only: a running worker consumes in the group, which blocks the rewind. */
export const rewindJob = (bus: () => EventBus, group: () => string, consumers: readonly Consumer[]): Job =>
  implementJob(contract, async ({ dryRun }, { to }) => {
    const topics = topicsOf(consumers);
    if (!dryRun) await bus().rewind({ group: group(), topics, to: new Date(to) });
    return { topics: topics.length };
  });
