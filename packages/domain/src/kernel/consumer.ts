import { claimMessage, systemOrigin, type Transaction, withOrigin } from '@enterprise-access/db';
import type { z } from 'zod';
import type { Runtime } from './runtime.ts';

/** One delivery of an event to a consumer. */
export interface EventRun {
  readonly runtime: Runtime;
  /** The same for every delivery of one event. */
  readonly eventId: string;
  /** Claims the event in the transaction of its effect; false if it was processed before. */
  claim(trx: Transaction): Promise<boolean>;
}

/** An event as it comes from the bus. */
export interface ConsumedEvent {
  readonly id: string;
  readonly data: unknown;
  /** Of the call that the event follows from, where its sender is ours. */
  readonly correlationId?: string | null;
}

/** What one kind of event of another service means for us. */
export interface Consumer {
  /** `org.openedx.….v1` */
  readonly type: string;
  /** Resolves when the effect is stored. Throws `UnusableEvent` when what the event says can never have one. */
  readonly consume: (runtime: Runtime, event: ConsumedEvent) => Promise<void>;
}

/** The data of the event is invalid. The message names fields, never their values. */
export class UnusableEvent extends Error {
  override readonly name = 'UnusableEvent';
}

/** Declares a consumer. Data that does not match the schema makes the event unusable. */
export const consumerOf = <D extends z.ZodType>(
  type: string,
  schema: D,
  handle: (run: EventRun, data: z.infer<D>) => Promise<void>,
): Consumer => ({
  type,
  async consume(runtime, { id, data, correlationId }) {
    const parsed = schema.safeParse(data);
    if (!parsed.success) {
      const fields = parsed.error.issues.map(({ path }) => path.join('.')).join(', ');
      throw new UnusableEvent(`not as agreed: ${fields}`);
    }
    const claim = (trx: Transaction) =>
      claimMessage(trx, { consumer: `event:${type}`, messageId: id, received: runtime.clock() });
    const origin = systemOrigin({
      operation: type,
      source: 'event',
      requestId: id,
      correlationId: correlationId ?? id,
    });
    await withOrigin(origin, () => handle({ runtime, eventId: id, claim }, parsed.data));
  },
});
