import { connect, createServer, type Socket } from 'node:net';

/**
 * TCP proxy in front of a database that can simulate outages. With several servers, it uses the first until it is
 * unreachable, then the next one, like a load balancer without failback.
 */
export async function databaseProxy(...databaseUrls: readonly string[]) {
  const targets = databaseUrls.map((url) => new URL(url));
  const [first] = targets;
  if (!first) throw new Error('No database.');
  const sockets = new Set<Socket>();
  let isOpen = true;
  let current = 0;
  /** So many more transactions are committed; null for all. */
  let commits: number | null = null;
  const isHeld = (chunk: Buffer): boolean => {
    if (commits === null || !/commit\b/i.test(chunk.toString('latin1'))) return false;
    commits -= 1;
    return commits < 0;
  };
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
    let isHanging = false;
    client.on('data', (chunk: Buffer) => {
      isHanging ||= isHeld(chunk);
      if (!isHanging) database.write(chunk);
    });
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
      commits = null;
    },
    /** After so many more transactions a COMMIT has no answer. */
    hangAtCommit(after: number) {
      commits = after;
    },
    async close() {
      cut();
      await new Promise((closed) => server.close(closed));
    },
  };
}
