import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  type ICancellationContext,
  type IPolicy,
  wrap,
} from 'cockatiel';

/** So long a service is not called that was silent too often, in milliseconds. */
export const CUT_OFF_MS = 5_000;
const CUT_OFF_AFTER_FAILURES = 10;
/** A call that hears nothing costs its caller all of the time there is, so fewer of them are enough. */
const CUT_OFF_AFTER_TIMEOUTS = 3;

export interface Circuit {
  execute<T>(work: (context: ICancellationContext) => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** Cuts a service off after repeated failures in a row; then one call tries whether it is back, and nobody waits for it. */
export function circuit(options: {
  readonly isFailure: (error: unknown) => boolean;
  readonly isTimeout: (error: unknown) => boolean;
  readonly onChange: (isOpen: boolean) => void;
}): Circuit {
  const breakerOf = (isCounted: (error: unknown) => boolean, count: number) =>
    circuitBreaker(handleWhen(isCounted), { halfOpenAfter: CUT_OFF_MS, breaker: new ConsecutiveBreaker(count) });
  const breakers = [
    breakerOf(options.isTimeout, CUT_OFF_AFTER_TIMEOUTS),
    breakerOf(options.isFailure, CUT_OFF_AFTER_FAILURES),
  ] as const;
  for (const breaker of breakers) {
    breaker.onStateChange(() => options.onChange(breakers.some(({ state }) => state !== CircuitState.Closed)));
  }
  const guarded: IPolicy = wrap(...breakers);
  return {
    async execute(work, signal) {
      // The library would let everybody wait for the one who tries.
      if (breakers.some(({ state }) => state === CircuitState.HalfOpen)) throw new BrokenCircuitError();
      return guarded.execute(work, signal);
    },
  };
}
