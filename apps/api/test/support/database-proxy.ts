import { connect, createServer, type Socket } from 'node:net';

/**
 * Stands between a process and its database, and can take the database away. Of several servers the first is used until
 * it cannot be reached, then the next one, as a load balancer does that does not go back by itself.
 */
export async function databaseProxy(...databaseUrls: readonly string[]) {
  const targets = databaseUrls.map((url) => new URL(url));
  const [first] = targets;
  if (!first) throw new Error('No database.');
  const sockets = new Set<Socket>();
  let isOpen = true;
  let current = 0;
  const server = createServer((client) => {
    if (!isOpen) {
      client.destroy();
      return;
    }
    const used = current;
    const { port, hostname: host } = targets[used] ?? first;
    const database = connect({ port: Number(port), host });
    const end = () => {
      for (const socket of [client, database]) {
        socket.destroy();
        sockets.delete(socket);
      }
    };
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    database.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' && current === used && used + 1 < targets.length) current += 1;
    });
    client.pipe(database);
    database.pipe(client);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('Not listening.');
  const url = new URL(first);
  url.port = String(address.port);
  url.hostname = '127.0.0.1';
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    takeAway() {
      isOpen = false;
      cut();
    },
    giveBack() {
      isOpen = true;
    },
    async close() {
      cut();
      await new Promise((closed) => server.close(closed));
    },
  };
}
