import type { DeadLetterReason } from './bus.ts';

/** The message can never be processed: it becomes a dead letter. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
  readonly reason: Exclude<DeadLetterReason, 'handler_failed'>;
  constructor(reason: Exclude<DeadLetterReason, 'handler_failed'>, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.reason = reason;
  }
}
