import { connect } from 'node:net';
import { freePort } from '@enterprise-access/db/servers';

/** Whether a server listens on a port of the loopback interface. */
export const isListening = (port: number): Promise<boolean> =>
  new Promise((answer) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      answer(true);
    });
    socket.once('error', () => answer(false));
  });

/**
 * The requested port, or any free one. Throws if another program uses the port, because it would be taken for our
 * server.
 */
export async function portFor(options: { port?: number }): Promise<number> {
  if (options.port === undefined) return freePort();
  if (await isListening(options.port)) throw new Error(`Port ${options.port} is in use.`);
  return options.port;
}
