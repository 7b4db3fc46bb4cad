import { connect, createServer, type Socket } from 'node:net';

/** A server on the loopback interface that can be disturbed without being stopped. */
export interface Proxy {
  /** `host:port` of what stands before it. */
  readonly address: string;
  /** How often somebody connected. */
  readonly connections: () => number;
  /** Nothing goes through any more, and nobody is told. */
  hang(): void;
  /** Lets so many bytes of the next reply through and cuts the connection. */
  cutAfter(bytes: number): void;
  /** Lets everything through again. Those who hung are cut off. */
  heal(): void;
  stop(): void;
}

/** Stands between a client and the server on a port. */
export async function startProxy(port: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let isHanging = false;
  let left = Number.POSITIVE_INFINITY;
  let count = 0;
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server = createServer((client) => {
    count += 1;
    const behind = connect({ port, host: '127.0.0.1' });
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        behind.destroy();
      });
    }
    client.on('data', (data) => {
      if (!isHanging) behind.write(data);
    });
    behind.on('data', (data) => {
      if (isHanging) return;
      if (data.length <= left) {
        left -= data.length;
        client.write(data);
        return;
      }
      client.end(data.subarray(0, left));
      left = Number.POSITIVE_INFINITY;
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('No address.');
  return {
    address: `127.0.0.1:${address.port}`,
    connections: () => count,
    hang() {
      isHanging = true;
    },
    cutAfter(bytes) {
      left = bytes;
    },
    heal() {
      isHanging = false;
      left = Number.POSITIVE_INFINITY;
      cutAll();
    },
    stop() {
      server.close();
      cutAll();
    },
  };
}
