import { request } from 'undici';
import { z } from 'zod';
import { UpstreamFailure } from './http.ts';

const reply = z.object({ access_token: z.string(), expires_in: z.number() });

/** The token endpoint of a configured root (R-UP-01). */
export function tokenUrl(root: string): string {
  const url = root.replace(/\/+$/, '');
  if (url.endsWith('/access_token')) return url;
  return url.endsWith('/oauth2') ? `${url}/access_token` : `${url}/oauth2/access_token`;
}

/** The service's own token by client credentials, renewed five seconds before it ends; one request at a time. */
export function serviceToken(options: { root: string; clientId: string; clientSecret: string }): () => Promise<string> {
  let current: { readonly token: string; readonly until: number } | undefined;
  let renewal: Promise<string> | undefined;
  const renew = async (): Promise<string> => {
    try {
      const response = await request(tokenUrl(options.root), {
        method: 'POST',
        signal: AbortSignal.timeout(8_000),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: options.clientId,
          client_secret: options.clientSecret,
          token_type: 'jwt',
        }).toString(),
      });
      const { access_token, expires_in } = reply.parse(await response.body.json());
      current = { token: access_token, until: Date.now() + (expires_in - 5) * 1000 };
      return access_token;
    } catch (error) {
      throw new UpstreamFailure('oauth2', 'gave no token', { cause: error });
    } finally {
      renewal = undefined;
    }
  };
  return async () => {
    if (current && Date.now() < current.until) return current.token;
    renewal ??= renew();
    return renewal;
  };
}
