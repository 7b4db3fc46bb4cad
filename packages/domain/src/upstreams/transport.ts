import { Agent, request } from 'undici';

/** A raw HTTP exchange. Only this file uses the HTTP library. */
export interface Exchange {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly url: URL | string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
}

export interface Exchanged {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** The service answered, but the body was truncated or too large. */
export class BrokenReply extends Error {
  override readonly name = 'BrokenReply';
}

const agent = new Agent({
  connections: 64,
  pipelining: 1,
  keepAliveTimeout: 30_000,
  // Fail early if the host does not accept connections, to leave time for a retry.
  connect: { timeout: 3_000 },
  maxResponseSize: 10_000_000,
});

/**
 * Sends one request and reads the whole reply. Redirects are not followed, because they would send the token
 * elsewhere.
 */
export async function exchange({ method, url, headers, body, signal }: Exchange): Promise<Exchanged> {
  const reply = await request(url, {
    method,
    dispatcher: agent,
    signal,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  try {
    return { status: reply.statusCode, headers: reply.headers, text: await reply.body.text() };
  } catch (error) {
    if (signal.aborted) throw error;
    throw new BrokenReply('The reply broke off or was too large.', { cause: error });
  }
}

/** Errors of connections that were never established. */
const UNREACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/** Whether the request certainly did not reach the service. */
export const isUnreached = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && UNREACHED.has(String(error.code));
