import { z } from 'zod';
import { consumerOf } from '../kernel/consumer.ts';

const ping = z.object({ ping: z.object({ ping_uuid: z.string(), ping_message: z.string() }) });

/** Test event to check that events arrive. Its text is untrusted, so only its length is logged. */
export const pinged = consumerOf(
  'org.openedx.enterprise.core.ping.v1',
  ping,
  async ({ runtime, eventId }, { ping: { ping_uuid: uuid, ping_message: message } }) => {
    runtime.log.info({ event: eventId, ping: uuid, length: message.length }, 'ping');
  },
);
