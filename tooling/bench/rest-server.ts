import { connect } from '@enterprise-access/db';
import { service } from '@enterprise-access/domain';
import { testRuntime } from '@enterprise-access/domain/testing';
import fastify, { type FastifyInstance } from 'fastify';
import { buildApp } from '../../apps/api/src/app.ts';
import { procedure } from '../../packages/domain/src/kernel/rpc.ts';
import { list } from '../../packages/domain/src/policies/contract.ts';
import { preparedPage } from './prepared-page.ts';
import { bigWorld, environment, operatorToken } from './setting.ts';

/**
 * Server process of the benchmark: the real application, whose policy list returns a prepared page without a
 * database, and plain routes with the same body.
 */
const [databaseUrl = '', sizeText = '10'] = process.argv.slice(2);
const size = Number(sizeText);
const path = `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=11111111-1111-4111-8111-111111111111&page_size=${size}`;
const db = connect({ url: databaseUrl, poolSize: 2 });

// Replace the procedure before the transport is built, which looks it up once.
const procedures = service.appRouter._def.procedures as unknown as Record<string, unknown>;
const page = preparedPage(size);
procedures['policies.list'] = procedure(list).query(() => page);

async function listen(app: FastifyInstance): Promise<string> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('The server listens on no port.');
  return `http://127.0.0.1:${address.port}`;
}

const token = operatorToken();
const ours = await buildApp({ env: environment(), runtime: testRuntime(db, bigWorld()) });
const shown: { body: unknown } = { body: null };
ours.get('/plain', {
  onRequest: async (request) => {
    request.actor = await ours.authenticate(request);
  },
  handler: async () => shown.body,
});
const oursUrl = await listen(ours);
const reply = await ours.inject({ method: 'GET', url: path, headers: { authorization: `JWT ${token}` } });
if (reply.statusCode !== 200) throw new Error(`${reply.statusCode} ${reply.body.slice(0, 500)}`);
shown.body = reply.json();

const plain = fastify({ logger: false });
plain.get('/plain', async () => shown.body);
const plainUrl = await listen(plain);

process.on('message', (message) => {
  if (message === 'cpu') process.send?.({ cpu: process.cpuUsage() });
  if (message === 'memory') process.send?.({ rss: process.memoryUsage().rss });
  if (message === 'stop')
    void Promise.all([ours.close(), plain.close(), db.destroy()]).then(() => process.disconnect());
});
process.send?.({ ours: `${oursUrl}${path}`, sameDoor: `${oursUrl}/plain`, plain: `${plainUrl}/plain`, token });
// Exit with the parent process.
process.once('disconnect', () => process.exit());
