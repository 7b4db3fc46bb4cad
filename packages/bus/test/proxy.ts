import { connect, createServer, type Socket } from 'node:net';
import { freePort } from '@enterprise-access/db/servers';

const PRODUCE = 0;

export interface BrokerProxy {
  readonly port: number;
  /** While it says true, the broker's reply to a batch is thrown away together with the connection. */
  losesAcknowledgement: () => boolean;
  close(): Promise<void>;
}

/** Stands between clients and a broker and loses what it is told to lose. */
export async function brokerProxy(brokerPort: () => number): Promise<BrokerProxy> {
  const port = await freePort();
  const sockets = new Set<Socket>();
  const proxy = {
    port,
    losesAcknowledgement: () => false,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
  const server = createServer((client) => {
    const broker = connect({ port: brokerPort(), host: '127.0.0.1' });
    let isWaitingForAcknowledgement = false;
    const end = () => {
      client.destroy();
      broker.destroy();
      sockets.delete(client);
      sockets.delete(broker);
    };
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on('data', (request) => {
      // A request is its size in four bytes, then its kind in two; the library writes one at a time.
      if (request.length > 6 && request.readInt16BE(4) === PRODUCE) isWaitingForAcknowledgement = true;
      broker.write(request);
    });
    broker.on('data', (reply) => {
      if (isWaitingForAcknowledgement && proxy.losesAcknowledgement()) end();
      else client.write(reply);
      isWaitingForAcknowledgement = false;
    });
  });
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  return proxy;
}
