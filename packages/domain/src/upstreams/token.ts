import { z } from 'zod';
import { type Clock, systemClock } from '../kernel/ports/clock.ts';
import { exchange } from './transport.ts';

const reply = z.object({ access_token: z.string(), expires_in: z.number() });

/** Provides the token for calls to other services. */
export interface TokenSource {
  get(): Promise<string>;
  /** Discards a rejected token: the next `get` fetches a new one. */
  discard(token: string): void;
}

/** The token endpoint for a configured base URL (R-UP-01). */
export function tokenUrl(root: string): string {
  const url = root.replace(/\/+$/, '');
  if (url.endsWith('/access_token')) return url;
  return url.endsWith('/oauth2') ? `${url}/access_token` : `${url}/oauth2/access_token`;
}

/** R-UP-02: three seconds to connect and five to read. */
const LONGEST_MS = 8_000;
const EARLY_MS = 5_000;
/** A rejected token that is newer than this, in milliseconds, is not replaced: a new one would be rejected, too. */
export const FRESH_MS = 10_000;

/** Our own token by client credentials, renewed five seconds before it expires; one request at a time. */
export function serviceToken(options: {
  readonly root: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly clock?: Clock;
  /** Timeout of a token request, in milliseconds. */
  readonly timeoutMs?: number;
}): TokenSource {
  const now = (): number => (options.clock ?? systemClock)().getTime();
  let current: { readonly token: string; readonly from: number; readonly until: number } | undefined;
  let renewal: Promise<string> | undefined;
  const renew = async (): Promise<string> => {
    try {
      const response = await exchange({
        method: 'POST',
        url: tokenUrl(options.root),
        signal: AbortSignal.timeout(options.timeoutMs ?? LONGEST_MS),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: options.clientId,
          client_secret: options.clientSecret,
          token_type: 'jwt',
        }).toString(),
      });
      const { access_token, expires_in } = reply.parse(JSON.parse(response.text));
      const from = now();
      current = { token: access_token, from, until: from + expires_in * 1000 - EARLY_MS };
      return access_token;
    } catch (error) {
      throw new Error('The token endpoint gave no token.', { cause: error });
    } finally {
      renewal = undefined;
    }
  };
  return {
    async get() {
      if (current && now() < current.until) return current.token;
      renewal ??= renew();
      return renewal;
    },
    discard(token) {
      if (current?.token === token && now() - current.from >= FRESH_MS) current = undefined;
    },
  };
}
