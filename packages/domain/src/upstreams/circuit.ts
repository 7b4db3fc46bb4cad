import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
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
/** So long others wait for the one who tries, in milliseconds: a service that is back answers sooner. */
const TRIAL_MS = 1_000;

export interface Circuit {
  execute<T>(work: (context: ICancellationContext) => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** Cuts a service off after repeated failures in a row; then one call tries whether it is back. */
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
  const trials = breakers.map(trialOf);
  return {
    async execute(work, signal) {
      // The library would let everybody wait until the one who tries has heard something, or nothing for all his time.
      for (const trial of trials) await trial();
      return guarded.execute(work, signal);
    },
  };
}

/** Waits for a call that tries whether the service is back, but not for long. */
function trialOf(breaker: CircuitBreakerPolicy): () => Promise<void> | undefined {
  let end: Promise<void> | undefined;
  breaker.onHalfOpen(() => {
    end = new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        heard.dispose();
        resolve();
      };
      const timer = setTimeout(done, TRIAL_MS);
      const heard = breaker.onStateChange((state) => {
        if (state !== CircuitState.HalfOpen) done();
      });
    });
  });
  return () => {
    if (breaker.state !== CircuitState.HalfOpen) return undefined;
    return end?.then(() => {
      if (breaker.state === CircuitState.HalfOpen) throw new BrokenCircuitError();
    });
  };
}
