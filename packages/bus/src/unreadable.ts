import type { DeadLetterReason } from './bus.ts';

/** Nothing will ever follow from this message: it goes to the dead letters and the next one comes. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
  readonly reason: Exclude<DeadLetterReason, 'handler_failed'>;
  constructor(reason: Exclude<DeadLetterReason, 'handler_failed'>, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.reason = reason;
  }
}
