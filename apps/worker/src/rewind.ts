import type { EventBus } from '@enterprise-access/bus';
import { type Consumer, defineJob, events, implementJob, type Job } from '@enterprise-access/domain';
import { z } from 'zod';

const contract = defineJob({
  name: 'events.rewind',
  summary:
    'Consume events again, from an instant on. Only while no worker runs; effects that are there are not repeated.',
  payload: z.object({
    to: z.iso.datetime({ offset: true }).describe('The first event of this instant or later comes next.'),
  }),
  result: z.object({ topics: z.int().min(0).describe('Topics whose position was set, or would be.') }),
  retry: { limit: 0, delaySeconds: 1, maximumDelaySeconds: 1 },
  timeoutSeconds: 60,
});

/** Topics of the events that mean something to us. */
export const topicsOf = (consumers: readonly Consumer[]): string[] => [
  ...new Set(consumers.flatMap(({ type }) => events.get(type)?.topic ?? [])),
];

/** For the command line only: a worker would be in the way of itself. */
export const rewindJob = (bus: () => EventBus, group: () => string, consumers: readonly Consumer[]): Job =>
  implementJob(contract, async ({ dryRun }, { to }) => {
    const topics = topicsOf(consumers);
    if (!dryRun) await bus().rewind({ group: group(), topics, to: new Date(to) });
    return { topics: topics.length };
  });
