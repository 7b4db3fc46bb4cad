import { DomainError } from '../kernel/errors.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { RetryPolicy } from '../kernel/workflow.ts';

/** For steps that name none: about ten minutes. */
export const STANDARD_RETRY: RetryPolicy = { attempts: 12, delaySeconds: 1, maximumDelaySeconds: 120 };
export const STANDARD_TIMEOUT_SECONDS = 30;
/** Attempts of a step that are kept. */
export const KEPT_ATTEMPTS = 50;

const LONGEST_SENTENCE = 450;
const LONGEST_CAUSE = 2_000;

/** Whether a repeat can help. A refusal is the same again; everything else may pass. */
export function mayPass(error: unknown): boolean {
  if (error instanceof DomainError) return error.spec.status >= 500 || error.spec.status === 429;
  if (error instanceof UpstreamRefusal) return error.status === 408 || error.status === 429;
  return true;
}

/** A sentence for people: what failed, without the words of other services, which can contain personal data. */
export function sentenceOf(error: unknown): string {
  if (error instanceof DomainError) return error.message.slice(0, LONGEST_SENTENCE);
  if (error instanceof UpstreamFailure) return `${error.service} did not answer.`;
  if (error instanceof UpstreamRefusal) return `${error.service} refused it with status ${error.status}.`;
  if (error instanceof Error && error.name === 'TimeoutError') return 'It took too long.';
  return 'An unexpected error.';
}

/** The error in its own words, for staff. */
export const causeOf = (error: unknown): string =>
  (error instanceof UpstreamRefusal
    ? `${error.message}: ${error.text}`
    : error instanceof Error
      ? `${error.name}: ${error.message}`
      : String(error)
  ).slice(0, LONGEST_CAUSE);

/** When the next attempt begins, or null if this was the last. */
export function nextAttempt(
  { attempts, delaySeconds, maximumDelaySeconds }: RetryPolicy,
  attemptCount: number,
  error: unknown,
  now: Date,
): Date | null {
  if (!mayPass(error) || attemptCount >= attempts) return null;
  const delay = Math.min(delaySeconds * 2 ** (attemptCount - 1), maximumDelaySeconds);
  return new Date(now.getTime() + delay * 1_000);
}
