/** Answers every request with one page of policies in the form of the tRPC transport, as fast as Node can. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import superjson from 'superjson';
import { preparedPage } from './prepared-page.ts';

const page = superjson.serialize(preparedPage(3));
const body = JSON.stringify({ result: { data: page } });

const server = createServer((_request, reply) => {
  reply.writeHead(200, { 'content-type': 'application/json', 'x-request-id': 'one' }).end(body);
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());
