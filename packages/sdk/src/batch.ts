import { dataOf, type Envelope, readJson } from './envelope.ts';
import { AbortedError, EnterpriseAccessError, type ErrorClass } from './errors.ts';
import { exchange } from './exchange.ts';
import type { Settings } from './options.ts';
import { type Call, type Reply, requestOf, send } from './send.ts';

interface Waiting {
  readonly call: Call;
  readonly resolve: (reply: Reply<unknown>) => void;
  readonly reject: (error: unknown) => void;
  /** Called when the caller's signal is aborted. */
  onLeave?: () => void;
}

/** Limits of the service: operations per request, and characters of their names. */
const MOST_CALLS = 20;
const LONGEST_NAMES = 280;

/** Key of calls that can share a request. */
const kinship = ({ headers, timeoutMs }: Call): string => JSON.stringify([headers, timeoutMs]);

/** Splits calls into requests within the limits. */
function* groupsOf(waiting: readonly Waiting[]): Generator<Waiting[]> {
  let group: Waiting[] = [];
  let length = 0;
  for (const each of waiting) {
    const more = each.call.operation.length + 1;
    if (group.length === MOST_CALLS || (group.length > 0 && length + more > LONGEST_NAMES)) {
      yield group;
      group = [];
      length = 0;
    }
    group.push(each);
    length += more;
  }
  if (group.length > 0) yield group;
}

/** Aborted when all calls are aborted; a single aborted call does not affect the others. */
function signalOfAll(group: readonly Waiting[]): AbortSignal {
  const controller = new AbortController();
  let left = group.length;
  for (const each of group) {
    each.onLeave = () => {
      left -= 1;
      if (left === 0) controller.abort(each.call.signal?.reason);
    };
  }
  return controller.signal;
}

const abortedCall = ({ operation, signal }: Call) =>
  new AbortedError({
    code: 'aborted',
    message: 'The call was aborted.',
    status: null,
    requestId: null,
    details: null,
    operation,
    idempotencyKey: null,
    isRetryable: false,
    retryAfterMs: null,
    cause: signal?.reason,
  });

/** A failure of all calls together, as the failure of one of them. */
function failureOf({ operation }: Call, error: unknown): unknown {
  if (!(error instanceof EnterpriseAccessError)) return error;
  const { message, cause } = error;
  return new (error.constructor as ErrorClass)({ ...error, message, cause, operation });
}

async function sendTogether(settings: Settings, group: readonly Waiting[]): Promise<void> {
  const [first] = group;
  if (!first) return;
  if (group.length === 1) return send(settings, first.call).then(first.resolve, first.reject);
  const together: Call = {
    ...first.call,
    operation: group.map(({ call }) => call.operation).join(','),
    input: `{${group.map(({ call }, index) => `"${index}":${call.input}`).join()}}`,
    signal: signalOfAll(group),
  };
  const request = requestOf(settings, together, '?batch=1');
  try {
    const { body, ...head } = await exchange(settings, request, (response, arrival) =>
      readJson(request, response, arrival),
    );
    for (const [index, { call, resolve, reject }] of group.entries()) {
      // A request that is refused as a whole, for example for an invalid token, has one answer for all calls.
      const envelope: Envelope | undefined = Array.isArray(body) ? body[index] : body;
      try {
        const data = dataOf(settings, { ...request, operation: call.operation }, head, envelope);
        resolve({ ...head, status: 200, data });
      } catch (error) {
        reject(error);
      }
    }
  } catch (error) {
    for (const { call, reject } of group) reject(failureOf(call, error));
  }
}

/** Batches queries that start at the same time. */
export function batcher(settings: Settings): (call: Call) => Promise<Reply<unknown>> {
  let waiting: Waiting[] = [];
  const flush = () => {
    const all = waiting.filter(({ call }) => !call.signal?.aborted);
    waiting = [];
    for (const kin of Map.groupBy(all, ({ call }) => kinship(call)).values()) {
      for (const group of groupsOf(kin)) void sendTogether(settings, group);
    }
  };
  return (call) =>
    new Promise((resolve, reject) => {
      const { signal } = call;
      const leave = () => {
        each.reject(abortedCall(call));
        each.onLeave?.();
      };
      const settling =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener('abort', leave);
          settle(value);
        };
      const each: Waiting = { call, resolve: settling(resolve), reject: settling(reject) };
      if (signal?.aborted) return leave();
      signal?.addEventListener('abort', leave);
      if (waiting.length === 0) setTimeout(flush, 0);
      waiting.push(each);
    });
}
