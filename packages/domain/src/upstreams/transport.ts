import { Agent, request } from 'undici';

/** The only file that knows the HTTP library. */
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

/** The service answered, but its body broke off or was too large. */
export class BrokenReply extends Error {
  override readonly name = 'BrokenReply';
}

const agent = new Agent({
  connections: 64,
  pipelining: 1,
  keepAliveTimeout: 30_000,
  // An address that does not accept connections must not use up the time of the whole call.
  connect: { timeout: 3_000 },
  maxResponseSize: 10_000_000,
});

/** One request with its whole reply. Redirects are not followed: they would carry the token elsewhere. */
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

/** Errors of a connection that was never made. */
const UNREACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/** The request was certainly not seen by the service. */
export const isUnreached = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && UNREACHED.has(String(error.code));
