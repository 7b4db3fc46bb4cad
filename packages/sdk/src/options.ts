import type { ErrorClass } from './errors.ts';

/** Anything that behaves like the global `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Replaces the built-in reading and writing of superjson, for whoever has the library anyway. */
export interface Serializer {
  /** The form of a value on the wire. */
  serialize(value: unknown): unknown;
  /** The value of its form on the wire. */
  deserialize(wire: never): unknown;
}

/** One attempt of a call, for the functions that watch. */
export interface Attempt {
  /** The operation: `policies.list`; those of a batch with commas between them. */
  readonly operation: string;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  /** Headers that will be sent; a function may add some, such as `traceparent`. */
  readonly headers: Headers;
}

/** How one attempt ended. */
export interface Outcome {
  /** The operation: `policies.list`. */
  readonly operation: string;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  /** Milliseconds from the start of the attempt to its end. */
  readonly durationMs: number;
  /** HTTP status; null when there was no reply. */
  readonly status: number | null;
  /** Names the request in the logs of the service; null when no reply told it. */
  readonly requestId: string | null;
  /** Code of the failure; null for a success. */
  readonly errorCode: string | null;
  /** Milliseconds until the next attempt; null when there is none. */
  readonly retryInMs: number | null;
}

/** Functions that watch calls, for tracing and metrics. What they throw is thrown away. */
export interface Hooks {
  /** Called before an attempt is sent. */
  onRequest?(attempt: Attempt): void;
  /** Called when an attempt has ended, well or not. */
  onResponse?(outcome: Outcome): void;
}

/** Where the client writes; `console` is one. Neither tokens nor inputs nor outputs are written. */
export interface Logger {
  /** One line per attempt after which there is none. */
  debug(message: string, fields: Outcome): void;
  /** One line per attempt that is going to be repeated. */
  warn(message: string, fields: Outcome): void;
}

/** How a client reaches the service. Nothing is read from the environment. */
export interface ClientOptions {
  /** Address of the service, `https://access.example.com`; a path before `/trpc` is kept. */
  readonly baseUrl: string;
  /** JWT of the caller, or a function that gives one; it is asked before each attempt. None for cookies. */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** Used instead of the global `fetch`. */
  readonly fetch?: Fetch | undefined;
  /** Milliseconds for one attempt; 30,000 unless given, 0 is no limit. */
  readonly timeoutMs?: number | undefined;
  /** How often a failed call is repeated; 2 unless given. For streams: how often in a row nothing arrives. */
  readonly maxRetries?: number | undefined;
  /** Headers of every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Where attempts are written; nowhere unless given. */
  readonly logger?: Logger | undefined;
  /** Functions that watch calls. */
  readonly hooks?: Hooks | undefined;
  /** Sends queries that start in the same moment as one request, at most 20 together. Off unless given. */
  readonly batch?: boolean | undefined;
  /** Reads and writes the wire format instead of the built-in code: `superjson` itself is one. */
  readonly serializer?: Serializer | undefined;
}

/** Options of one call; they win over those of the client. */
export interface CallOptions {
  /** Ends the call when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for one attempt; 0 is no limit. */
  readonly timeoutMs?: number | undefined;
  /** How often a failed call is repeated. */
  readonly maxRetries?: number | undefined;
  /** More headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Options of one mutation. */
export interface MutationOptions extends CallOptions {
  /** Names this intent, up to 255 characters: a call with the same key is answered with the first reply for 24 hours. Made up unless given. */
  readonly idempotencyKey?: string | undefined;
}

/** Calls one who watches. What it throws, now or later, breaks neither the call nor the program. */
export function notify(watcher: () => unknown): void {
  try {
    Promise.resolve(watcher()).catch(() => undefined);
  } catch {
    // Thrown away.
  }
}

/** What a client works with: its options with their defaults, and the errors it knows. */
export interface Settings extends ClientOptions {
  readonly baseUrl: string;
  readonly fetch: Fetch;
  readonly timeoutMs: number;
  readonly maxRetries: number;
  readonly errors: Readonly<Record<string, ErrorClass>>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_RETRIES = 2;

/** Complete options; a base URL that is none is a mistake of the program and thrown at once. */
export function settingsOf(options: ClientOptions, errors: Settings['errors']): Settings {
  if (!/^https?:\/\/[^/?#]+[^?#]*$/.test(options.baseUrl) || !URL.canParse(options.baseUrl)) {
    throw new TypeError('baseUrl must be an absolute http or https URL without a query.');
  }
  return {
    ...options,
    baseUrl: options.baseUrl.replace(/\/+$/, ''),
    // Called as a method of another object, the fetch of browsers refuses.
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxRetries: options.maxRetries ?? DEFAULT_RETRIES,
    errors,
  };
}
