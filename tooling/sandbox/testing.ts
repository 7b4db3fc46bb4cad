import type { SandboxOptions } from './index.ts';
import { buildSandbox } from './index.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A sandbox to call without a socket; bodies come back parsed. */
export function sandboxClient(options: SandboxOptions = {}) {
  const app = buildSandbox(options);
  const call = async (method: Method, url: string, payload?: object | string, headers: Record<string, string> = {}) => {
    const reply = await app.inject({
      method,
      url,
      headers: { authorization: 'JWT x.y.z', ...headers },
      ...(payload !== undefined && { payload }),
    });
    const isJson = String(reply.headers['content-type'] ?? '').startsWith('application/json');
    return { status: reply.statusCode, headers: reply.headers, text: reply.body, body: isJson ? reply.json() : null };
  };
  return { app, call };
}
