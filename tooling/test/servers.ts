import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestServers, type TestServers } from '../../packages/db/src/testing.ts';
import { offerServices, type TestServices } from '../services/testing.ts';
import { givenAway } from './logs.ts';

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers;
    services: TestServices;
    /** Folder for logs of the programs under test; checked at the end of the run. */
    logFolder: string;
  }
}

interface Project {
  provide(key: 'servers', value: TestServers): void;
  provide(key: 'services', value: TestServices): void;
  provide(key: 'logFolder', value: string): void;
}

/**
 * Starts the databases once for all test files and the other servers on request. At the end it reports which servers
 * were tested, and secrets in logs.
 */
export default async function setup(project: Project): Promise<() => Promise<void>> {
  const [databases, offer] = await Promise.all([startTestServers(), offerServices()]);
  project.provide('servers', databases.servers);
  project.provide('services', offer.services);
  const logFolder = await mkdtemp(join(tmpdir(), 'test-logs-'));
  project.provide('logFolder', logFolder);
  return async () => {
    await Promise.all([databases.stop(), offer.stop()]);
    const { lines, isOneMissing } = offer.report();
    const given = await givenAway(logFolder);
    lines.push(given.length === 0 ? 'logs: nothing given away' : `logs give away\n${given.join('\n')}`);
    if (given.length > 0) process.exitCode = 1;
    await rm(logFolder, { recursive: true, force: true });
    let isDatabaseMissing = false;
    for (const [name, server] of Object.entries(databases.servers)) {
      const isSkipped = 'skipped' in server;
      isDatabaseMissing ||= isSkipped;
      lines.unshift(`${name}: ${isSkipped ? `skipped, ${server.skipped}` : 'tested'}`);
    }
    process.stdout.write(`${lines.join('\n')}\n`);
    if ((isOneMissing || isDatabaseMissing) && process.env.REQUIRE_SERVICES === 'all') {
      process.stderr.write('REQUIRE_SERVICES=all, and a server is missing.\n');
      process.exitCode = 1;
    }
  };
}
