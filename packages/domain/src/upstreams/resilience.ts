import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  circuitBreaker,
  DelegateBackoff,
  handleWhen,
  type IRetryBackoffContext,
  isBrokenCircuitError,
  retry,
  wrap,
} from 'cockatiel';
import { LRUCache } from 'lru-cache';
import { UpstreamFailure } from '../kernel/ports/upstream.ts';

/** How long the circuit stays open, in ms. */
export const CUT_OFF_MS = 5_000;
/** Consecutive failures after which the circuit opens. */
export const CUT_OFF_AFTER = 10;
/** A timeout counts as this many failures, so three timeouts open the circuit. */
const WEIGHT_OF_TIMEOUT = 4;
/** How long other callers wait for the probing call while the circuit is half-open, in ms. */
const TRIAL_MS = 1_000;
/** Consecutive failures after which a resource enters the negative cache. */
export const REMEMBERED_AFTER = 3;
/** How long a resource stays in the negative cache, in ms. */
export const REMEMBERED_MS = 10_000;
/** If `Retry-After` is longer than this, in ms, the call is not retried. */
const LONGEST_WAIT_MS = 2_000;

/**
 * Possible causes of a bad answer, such as the course and the learner. Failures of calls that share an entry are not
 * independent evidence that the service is down.
 */
export type Subject = readonly string[];

const isTimeout = ({ cause }: UpstreamFailure): boolean => cause instanceof Error && cause.name === 'TimeoutError';

/** The recent failures of a service, since its last good answer. */
class Failures {
  #silence = 0;
  readonly #subjects: Set<string>[] = [];

  /** The service works. */
  answered(): void {
    this.#silence = 0;
    this.#subjects.length = 0;
  }

  failed(failure: UpstreamFailure, subject: Subject): void {
    if (!failure.isAnswer) {
      this.#silence += isTimeout(failure) ? WEIGHT_OF_TIMEOUT : 1;
      return;
    }
    this.#silence = 0;
    const places = Math.max(subject.length, this.#subjects.length);
    for (let place = 0; place < places; place += 1) {
      const seen = this.#subjects[place] ?? new Set(this.#subjects.at(-1));
      this.#subjects[place] = seen;
      // Bounded: counting further would not change the result.
      if (seen.size < CUT_OFF_AFTER) seen.add(subject[place] ?? subject.at(-1) ?? '');
    }
  }

  /** Bad answers count once per subject. */
  get isTooMuch(): boolean {
    const spread = this.#subjects.length === 0 ? 0 : Math.min(...this.#subjects.map(({ size }) => size));
    return this.#silence + spread >= CUT_OFF_AFTER;
  }
}

export interface Circuit {
  execute<T>(work: () => Promise<T>, subject: Subject, signal: AbortSignal): Promise<T>;
}

/** Circuit breaker: opens on timeouts and on failures for different subjects; then one call probes the service. */
export function circuit(onChange: (isOpen: boolean) => void): Circuit {
  const failures = new Failures();
  const breaker = circuitBreaker(
    handleWhen(() => failures.isTooMuch),
    { halfOpenAfter: CUT_OFF_MS, breaker: { state: undefined, success: () => undefined, failure: () => true } },
  );
  breaker.onStateChange((state) => onChange(state !== CircuitState.Closed));
  const trial = trialOf(breaker);
  return {
    async execute(work, subject, signal) {
      // In half-open state the library makes all callers wait for the probing call; limit that wait.
      await trial();
      return breaker.execute(async () => {
        try {
          const result = await work();
          failures.answered();
          return result;
        } catch (error) {
          // Refusals and "busy" replies show that the service is up.
          if (error instanceof UpstreamFailure && !error.isBusy) failures.failed(error, subject);
          else failures.answered();
          throw error;
        }
      }, signal);
    },
  };
}

/** Waits for the probing call, for a limited time. */
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

/** Negative cache of resources with bad answers, so that repeated requests for one do not load the service. */
export function badResources(service: string) {
  const known = new LRUCache<string, { readonly times: number; readonly until: number; readonly cause: unknown }>({
    max: 1_000,
  });
  return {
    assertGood(resource: string): void {
      const bad = known.get(resource);
      if (bad === undefined || bad.times < REMEMBERED_AFTER || Date.now() >= bad.until) return;
      throw new UpstreamFailure(service, 'is not asked again so soon for what it answered badly', {
        cause: bad.cause,
        isUndone: true,
      });
    },
    answered: (resource: string) => void known.delete(resource),
    failed(resource: string, cause: unknown): void {
      const times = (known.get(resource)?.times ?? 0) + 1;
      known.set(resource, { times, until: Date.now() + REMEMBERED_MS, cause });
    },
  };
}

const isSilent = (error: unknown): boolean => error instanceof UpstreamFailure && !error.isBusy;
const isWorthWaiting = (error: unknown): boolean =>
  error instanceof UpstreamFailure && error.retryAfterMs <= LONGEST_WAIT_MS;

/** Delay before a retry: `Retry-After`, but at least exponential backoff with jitter. */
function pause({ attempt, result }: IRetryBackoffContext<unknown>): number {
  const asked = 'error' in result && result.error instanceof UpstreamFailure ? result.error.retryAfterMs : 0;
  const doubled = Math.min(50 * 2 ** (attempt - 1), LONGEST_WAIT_MS);
  return Math.max(asked, doubled * (0.5 + Math.random() / 2));
}

const backoff = new DelegateBackoff(pause);
const retries = wrap(
  // More attempts for a busy service than for one that does not answer.
  retry(
    handleWhen((error) => isWorthWaiting(error) && !isSilent(error)),
    { maxAttempts: 6, backoff },
  ),
  retry(
    handleWhen((error) => isWorthWaiting(error) && isSilent(error)),
    { maxAttempts: 2, backoff },
  ),
);

/** Retries idempotent work. */
export const retried = <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => retries.execute(work, signal);

export const isCutOff = isBrokenCircuitError;
