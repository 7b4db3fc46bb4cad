import { dataOf, errorOf, readJson, unreadable } from './envelope.ts';
import { AbortedError, ConnectionError, EnterpriseAccessError, type Failure } from './errors.ts';
import { eventsOf, type ServerEvent } from './events.ts';
import { exchange } from './exchange.ts';
import type { CallOptions, Outcome, Settings } from './options.ts';
import { tell, wired } from './perform.ts';
import { delayMs, pause } from './retry.ts';
import { requestOf } from './send.ts';
import { wire } from './wire.ts';

/** Status and request id of the connection. */
type Opening = Pick<Outcome, 'status' | 'requestId'>;
type Step<T> = Opening | { readonly value: T; readonly id: string | undefined } | 'end';

/** The service sends a keep-alive every 15 seconds; after this time without data the connection counts as lost. */
const SILENCE_MS = 45_000;

const mostSilence = ({ data }: ServerEvent): number => {
  try {
    const told = (JSON.parse(data) as { reconnectAfterInactivityMs?: unknown }).reconnectAfterInactivityMs;
    return typeof told === 'number' && told > 0 ? told : SILENCE_MS;
  } catch {
    return SILENCE_MS;
  }
};

/** One connection of a stream, until it ends, is lost or times out. */
async function* connection<T>(
  settings: Settings,
  operation: string,
  input: unknown,
  options: CallOptions,
  attempt: number,
): AsyncGenerator<Step<T>, void, undefined> {
  const silence = new AbortController();
  const leave = () => silence.abort(options.signal?.reason);
  if (options.signal?.aborted) leave();
  options.signal?.addEventListener('abort', leave, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let limitMs = SILENCE_MS;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), limitMs);
  };
  const { headers, timeoutMs = settings.timeoutMs } = options;
  const request = {
    ...requestOf(settings, {
      operation,
      isQuery: true,
      input: wired(settings, operation, input),
      headers,
      idempotencyKey: null,
      signal: silence.signal,
      timeoutMs,
      attempt,
    }),
    accept: 'text/event-stream',
  };
  const lost = (cause: unknown): Failure => ({
    code: 'connection',
    message: 'The stream broke off.',
    status: null,
    requestId: null,
    details: null,
    operation,
    idempotencyKey: null,
    isRetryable: true,
    retryAfterMs: null,
    cause,
  });
  try {
    const { body, ...head } = await exchange(
      settings,
      request,
      async (response, arrival): Promise<ReadableStream<Uint8Array>> => {
        if (response.headers.get('content-type')?.startsWith('text/event-stream') && response.body)
          return response.body;
        dataOf(settings, request, arrival, await readJson(request, response, arrival));
        throw unreadable(request, arrival, 'The reply is no stream.', false);
      },
    );
    heard();
    yield { status: head.status, requestId: head.requestId };
    const told = <V>(event: ServerEvent, read: (wired: never) => V): V => {
      try {
        return read(JSON.parse(event.data) as never);
      } catch (cause) {
        throw unreadable(request, head, 'An answer of the stream is not readable.', true, cause);
      }
    };
    let isEmpty = true;
    try {
      for await (const event of eventsOf(body, heard, silence.signal)) {
        isEmpty = false;
        if (event.event === 'connected') limitMs = mostSilence(event);
        else if (event.event === 'return') return yield 'end';
        else if (event.event === 'serialized-error') {
          throw told(event, (wired) => errorOf(settings, request, head, wired));
        } else if (event.event === 'message') {
          const value = told(event, (wired) => (settings.serializer ?? wire).deserialize(wired));
          yield { value: value as T, id: event.id };
        }
      }
      silence.signal.throwIfAborted();
      // A working connection sends at least the event `connected`.
      if (isEmpty) throw new ConnectionError(lost(undefined));
    } catch (cause) {
      if (cause instanceof EnterpriseAccessError) throw cause;
      throw new ConnectionError(lost(cause));
    }
  } catch (error) {
    // The signal of the connection is also aborted by the timeout, which is not an abort by the caller.
    if (error instanceof AbortedError && !options.signal?.aborted) throw new ConnectionError(lost(error));
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', leave);
    silence.abort();
  }
}

const abortedBy = ({ reason: cause }: AbortSignal, error: EnterpriseAccessError): AbortedError => {
  const message = 'The call was aborted.';
  return new AbortedError({ ...error, code: 'aborted', message, details: null, isRetryable: false, cause });
};

/** A stream of events. Connects when the iteration begins; leaving the loop closes it. */
export class Subscription<T> implements AsyncIterable<T> {
  readonly #settings: Settings;
  readonly #operation: string;
  readonly #input: object;
  readonly #options: CallOptions;

  constructor(settings: Settings, operation: string, input: object, options: CallOptions) {
    this.#settings = settings;
    this.#operation = operation;
    this.#input = input;
    this.#options = options;
  }

  /**
   * Iterates over the events. After a lost connection it resumes after the last event received. The loop ends when
   * the stream is complete, and throws if the service refuses, if the signal is aborted, or after `maxRetries`
   * consecutive attempts without an event.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    const { signal, maxRetries = this.#settings.maxRetries } = this.#options;
    let lastEventId: string | undefined;
    for (let failures = 0, attempt = 1; ; attempt += 1) {
      const input = lastEventId === undefined ? this.#input : { ...this.#input, lastEventId };
      const start = performance.now();
      let opening: Opening = { status: null, requestId: null };
      let failure: EnterpriseAccessError | null = null;
      const ended = (retryInMs: number | null) =>
        tell(this.#settings, {
          operation: this.#operation,
          attempt,
          durationMs: performance.now() - start,
          status: failure?.status ?? opening.status,
          requestId: failure?.requestId ?? opening.requestId,
          errorCode: failure?.code ?? null,
          retryInMs,
        });
      let isLeft = true;
      try {
        for await (const step of connection<T>(this.#settings, this.#operation, input, this.#options, attempt)) {
          if (step === 'end') return;
          if ('status' in step) {
            opening = step;
            continue;
          }
          failures = 0;
          lastEventId = step.id || lastEventId;
          yield step.value;
        }
        isLeft = false;
      } catch (error) {
        isLeft = false;
        if (!(error instanceof EnterpriseAccessError)) throw error;
        failure = signal?.aborted ? abortedBy(signal, error) : error;
      } finally {
        // Ended by the service or by the caller.
        if (isLeft) ended(null);
      }
      failures += 1;
      const isOver = failure !== null && (!failure.isRetryable || failures > maxRetries);
      const retryInMs = isOver ? null : delayMs(failures, failure?.retryAfterMs ?? null);
      ended(retryInMs);
      if (failure && retryInMs === null) throw failure;
      await pause(retryInMs ?? 0, signal);
    }
  }
}
