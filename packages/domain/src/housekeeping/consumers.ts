import { z } from 'zod';
import { consumerOf } from '../kernel/consumer.ts';
import { ENTERPRISE_CORE, platformEvent } from '../kernel/event.ts';
import pingSchema from './ping.json' with { type: 'json' };

/** Sent by operators to see whether events arrive. */
export const pingEvent = platformEvent('org.openedx.enterprise.core.ping.v1', ENTERPRISE_CORE, pingSchema, 'ping_uuid');

const ping = z.object({ ping: z.object({ ping_uuid: z.string(), ping_message: z.string() }) });

/** Test event to check that events arrive. Its text is untrusted, so only its length is logged. */
export const pinged = consumerOf(
  pingEvent.type,
  ping,
  async ({ runtime, eventId }, { ping: { ping_uuid: uuid, ping_message: message } }) => {
    runtime.log.info({ event: eventId, ping: uuid, length: message.length }, 'ping');
  },
);
