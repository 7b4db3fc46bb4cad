import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy on the loopback interface that can simulate network faults. */
export interface Proxy {
  /** `host:port` of the proxy. */
  readonly address: string;
  /** Number of connections so far. */
  readonly connections: () => number;
  /** Stops forwarding without closing connections. */
  hang(): void;
  /** Forwards a number of bytes of the next reply and then closes the connection. */
  cutAfter(bytes: number): void;
  /** Forwards again; closes connections that were hanging. */
  heal(): void;
  stop(): void;
}

/** Starts a proxy in front of a server on a port. */
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
