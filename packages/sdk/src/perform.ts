import { EnterpriseAccessError, RequestError } from './errors.ts';
import { type MutationOptions, notify, type Outcome, type Settings } from './options.ts';
import { delayMs, pause } from './retry.ts';
import type { Call, Reply } from './send.ts';
import { wire } from './wire.ts';

/** Sends one attempt of a call. */
export type Send = (settings: Settings, call: Call) => Promise<Reply<unknown>>;

/** 128 random bits. `crypto.randomUUID` is missing on pages without TLS. */
const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Reports the outcome of an attempt to hooks and logger. */
export function tell({ hooks, logger }: Settings, outcome: Outcome): void {
  notify(() => hooks?.onResponse?.(outcome));
  const { operation, attempt, errorCode, retryInMs } = outcome;
  const message = `${operation}: attempt ${attempt} ${errorCode === null ? 'answered' : `failed (${errorCode})`}`;
  notify(() => (retryInMs === null ? logger?.debug(message, outcome) : logger?.warn(message, outcome)));
}

/** Serializes the input once, because an idempotency key belongs to one body. */
export function wired(settings: Settings, operation: string, input: unknown): string {
  try {
    return JSON.stringify((settings.serializer ?? wire).serialize(input));
  } catch (cause) {
    throw new RequestError({
      code: 'request',
      message: 'The input cannot be sent as JSON.',
      status: null,
      requestId: null,
      details: null,
      operation,
      idempotencyKey: null,
      isRetryable: false,
      retryAfterMs: null,
      cause,
    });
  }
}

/** Performs a call with retries: each attempt has the same bytes and the same key, so a mutation happens once. */
export async function perform(
  settings: Settings,
  send: Send,
  operation: string,
  isQuery: boolean,
  input: unknown,
  options: MutationOptions,
): Promise<Reply<unknown>> {
  const { signal, headers, timeoutMs = settings.timeoutMs, maxRetries = settings.maxRetries } = options;
  const idempotencyKey = isQuery ? null : (options.idempotencyKey ?? newKey());
  const call = { operation, isQuery, input: wired(settings, operation, input), headers, idempotencyKey, signal };
  const isWatched = settings.hooks !== undefined || settings.logger !== undefined;
  for (let attempt = 1; ; attempt += 1) {
    const start = performance.now();
    const outcome = (fields: Pick<Outcome, 'status' | 'requestId' | 'errorCode' | 'retryInMs'>): Outcome => ({
      operation,
      attempt,
      durationMs: performance.now() - start,
      ...fields,
    });
    try {
      const reply = await send(settings, { ...call, timeoutMs, attempt });
      const { status, requestId } = reply;
      if (isWatched) tell(settings, outcome({ status, requestId, errorCode: null, retryInMs: null }));
      return reply;
    } catch (error) {
      if (!(error instanceof EnterpriseAccessError)) throw error;
      const retryInMs = error.isRetryable && attempt <= maxRetries ? delayMs(attempt, error.retryAfterMs) : null;
      const { status, requestId, code } = error;
      if (isWatched) tell(settings, outcome({ status, requestId, errorCode: code, retryInMs }));
      if (retryInMs === null) throw error;
      await pause(retryInMs, signal);
    }
  }
}
