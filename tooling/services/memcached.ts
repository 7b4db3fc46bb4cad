import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { supervised } from '@enterprise-access/db/servers';
import { findProgram, program } from './paths.ts';
import { isListening, portFor } from './ports.ts';

export interface RunningMemcached {
  readonly port: number;
  /** `host:port`, as `MEMCACHED_SERVERS` has it. */
  readonly servers: string;
  stop(): Promise<void>;
}

/** Why memcached cannot be started here, or null when it can. */
export const memcachedMissing = (): string | null =>
  findProgram('memcached') === null ? 'memcached is not installed' : null;

/** Starts the memcached that is installed on this machine, on the loopback interface. */
export async function startMemcached(options: { logFile: string; port?: number }): Promise<RunningMemcached> {
  const port = await portFor(options);
  await mkdir(dirname(resolve(options.logFile)), { recursive: true });
  const server = supervised(
    {
      program: program('memcached'),
      args: [
        '--listen=127.0.0.1',
        `--port=${port}`,
        '--memory-limit=64',
        // As root, memcached requires a user to switch to.
        ...(process.getuid?.() === 0 ? ['--user=nobody'] : []),
      ],
    },
    { logFile: options.logFile, stopSignal: 'SIGTERM' },
  );
  await server.ready(() => isListening(port), 10_000);
  return { port, servers: `127.0.0.1:${port}`, stop: server.stop };
}
