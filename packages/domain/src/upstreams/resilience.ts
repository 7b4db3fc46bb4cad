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
/** Failures in a row after which a service is cut off. */
export const CUT_OFF_AFTER = 10;
/** A call that times out costs its caller all of its time, so three of them are enough. */
const WEIGHT_OF_TIMEOUT = 4;
/** How long other callers wait for the call that tests whether the service is back, in ms. */
const TRIAL_MS = 1_000;
/** Failed calls in a row after which one resource is not asked for again for a while. */
export const REMEMBERED_AFTER = 3;
/** How long a resource with bad answers is not asked for again, in ms. */
export const REMEMBERED_MS = 10_000;
/** A caller waits for us: what asks for more than this, in ms, is not waited for. */
const LONGEST_WAIT_MS = 2_000;

/**
 * What a call is about. Every entry may be the cause of a bad answer: the course as well as the learner. Calls that
 * share an entry are no independent evidence that the service is down.
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
      // Bounded: more than enough is not counted.
      if (seen.size < CUT_OFF_AFTER) seen.add(subject[place] ?? subject.at(-1) ?? '');
    }
  }

  /** Bad answers count only as often as they are about different things. */
  get isTooMuch(): boolean {
    const spread = this.#subjects.length === 0 ? 0 : Math.min(...this.#subjects.map(({ size }) => size));
    return this.#silence + spread >= CUT_OFF_AFTER;
  }
}

export interface Circuit {
  execute<T>(work: () => Promise<T>, subject: Subject, signal: AbortSignal): Promise<T>;
}

/** Cuts a service off when it is silent or fails whatever it is asked; then one call tests whether it is back. */
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
      // The library lets all callers wait for the trial call, which may take all of its time.
      await trial();
      return breaker.execute(async () => {
        try {
          const result = await work();
          failures.answered();
          return result;
        } catch (error) {
          // A service that refuses, or asks for patience, works.
          if (error instanceof UpstreamFailure && !error.isBusy) failures.failed(error, subject);
          else failures.answered();
          throw error;
        }
      }, signal);
    },
  };
}

/** Waits for the call that tests whether the service is back, but not for long. */
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

/** Resources that get bad answers: a negative cache, so that asking for one again and again does not load the service. */
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

/** As long as the service asks for, and at least a doubling and jittered pause. */
function pause({ attempt, result }: IRetryBackoffContext<unknown>): number {
  const asked = 'error' in result && result.error instanceof UpstreamFailure ? result.error.retryAfterMs : 0;
  const doubled = Math.min(50 * 2 ** (attempt - 1), LONGEST_WAIT_MS);
  return Math.max(asked, doubled * (0.5 + Math.random() / 2));
}

const backoff = new DelegateBackoff(pause);
const retries = wrap(
  // A busy service will be there soon; a silent one gets fewer attempts.
  retry(
    handleWhen((error) => isWorthWaiting(error) && !isSilent(error)),
    { maxAttempts: 6, backoff },
  ),
  retry(
    handleWhen((error) => isWorthWaiting(error) && isSilent(error)),
    { maxAttempts: 2, backoff },
  ),
);

/** Repeats work that may be repeated. */
export const retried = <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => retries.execute(work, signal);

export const isCutOff = isBrokenCircuitError;
