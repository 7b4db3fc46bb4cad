import { type Throttle, throttled } from '@enterprise-access/domain';
import type { FastifyRequest } from 'fastify';
import type { Environment } from '../env.ts';
import type { Count, ThrottleCounter } from '../throttles.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

type Limits = Pick<Environment, 'THROTTLE_ACTOR_PER_MINUTE' | 'THROTTLE_ANONYMOUS_PER_MINUTE'>;

function judged({ current, ttl }: Count, maximum: number): Error | undefined {
  if (current <= maximum) return undefined;
  const retryAfterSeconds = Math.ceil(ttl / 1_000);
  const message = `Request was throttled. Expected available in ${retryAfterSeconds} seconds.`;
  return throttled({ retryAfterSeconds }, { message });
}

/** Counts a request of a client IP against the limit of an operation; a token makes no difference. */
export const operationLimiter =
  (count: ThrottleCounter, ip: string) =>
  async ({ scope, perHour }: Throttle): Promise<void> => {
    const problem = judged(await count(`${scope}:${ip}`, HOUR_MS, perHour), perHour);
    if (problem) throw problem;
  };

/** Counts a request against the rate limit of its actor or client IP; a failure says how long to wait. */
export function rateLimiter(count: ThrottleCounter, limits: Limits) {
  return ({ actor, ip }: Pick<FastifyRequest, 'actor' | 'ip'>): Promise<Error | undefined> | Error | undefined => {
    const maximum = actor ? limits.THROTTLE_ACTOR_PER_MINUTE : limits.THROTTLE_ANONYMOUS_PER_MINUTE;
    const judge = (reached: Count) => judged(reached, maximum);
    const counted = count(actor ? `actor:${actor.userId}` : `address:${ip}`, MINUTE_MS, maximum);
    return counted instanceof Promise ? counted.then(judge) : judge(counted);
  };
}
