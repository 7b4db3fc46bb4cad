import { createServer, type IncomingMessage, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { RegistryUnavailable, SchemaRejected, schemaRegistry } from './registry.ts';
import { Unreadable } from './unreadable.ts';

interface ReceivedRequest {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A registry that answers what the test says; null is silence. */
async function answering(reply: (asked: ReceivedRequest) => { status?: number; body: unknown } | null) {
  const asked: ReceivedRequest[] = [];
  const read = async (request: IncomingMessage) => Buffer.concat(await request.toArray()).toString('utf8');
  server = createServer(async (request, response) => {
    const question = {
      line: `${request.method} ${request.url}`,
      authorization: request.headers.authorization,
      body: await read(request),
    };
    asked.push(question);
    const answer = reply(question);
    if (answer === null) return;
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  });
  await new Promise<void>((ready) => server?.listen(0, '127.0.0.1', ready));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('No address.');
  return { asked, url: `http://127.0.0.1:${address.port}/base/` };
}

test('concurrent lookups share one request', async () => {
  const { asked, url } = await answering(({ line }) =>
    line.startsWith('POST') ? { body: { id: 7 } } : { body: { schema: '"string"' } },
  );
  const registry = schemaRegistry({ url, key: 'k', secret: 's' });
  const ids = await Promise.all([1, 2, 3].map(() => registry.register('a/b-value', '"string"')));
  expect([...ids, await registry.register('a/b-value', '"string"')]).toEqual([7, 7, 7, 7]);
  expect(await Promise.all([registry.schema(7), registry.schema(7)])).toEqual(['string', 'string']);
  const authorization = `Basic ${Buffer.from('k:s').toString('base64')}`;
  expect(asked).toEqual([
    { line: 'POST /base/subjects/a%2Fb-value/versions', authorization, body: '{"schema":"\\"string\\""}' },
    { line: 'GET /base/schemas/ids/7', authorization, body: '' },
  ]);
  await registry.close();
});

test('without a key, empty credentials are sent', async () => {
  const { asked, url } = await answering(() => ({ body: { id: 1 } }));
  const registry = schemaRegistry({ url });
  await registry.register('s', '"string"');
  expect(asked[0]?.authorization).toBe('Basic Og==');
  await registry.close();
});

test.each([
  ['no schema of this id', { status: 404, body: { error_code: 40403 } }, Unreadable],
  ['a schema of another language', { body: { schema: 'message X {}', schemaType: 'PROTOBUF' } }, Unreadable],
  ['a schema that is no JSON', { body: { schema: '{' } }, Unreadable],
  ['not allowed', { status: 401, body: {} }, RegistryUnavailable],
  ['a failure', { status: 500, body: { error_code: 50001 } }, RegistryUnavailable],
  ['a page of a proxy', { status: 502, body: '<html>' }, RegistryUnavailable],
  ['something else than agreed', { body: { id: 'seven' } }, RegistryUnavailable],
  ['silence', null, RegistryUnavailable],
])('asking for a schema: %s', async (_case, answer, error) => {
  const { url } = await answering(() => answer);
  const registry = schemaRegistry({ url, timeoutMs: 200 });
  await expect(registry.schema(1)).rejects.toThrow(error);
  await registry.close();
});

test.each([409, 422])('a schema that the registry refuses with %i', async (status) => {
  const { url } = await answering(() => ({ status, body: {} }));
  const registry = schemaRegistry({ url });
  await expect(registry.register('s', '"string"')).rejects.toThrow(SchemaRejected);
  await registry.close();
});

test('a failure is forgotten, so that the next one asks again', async () => {
  let isDown = true;
  const { asked, url } = await answering(() => (isDown ? { status: 503, body: {} } : { body: { id: 7 } }));
  const registry = schemaRegistry({ url });
  await expect(registry.register('s', '"string"')).rejects.toThrow(RegistryUnavailable);
  isDown = false;
  expect(await registry.register('s', '"string"')).toBe(7);
  expect(asked).toHaveLength(2);
  await registry.close();
});
