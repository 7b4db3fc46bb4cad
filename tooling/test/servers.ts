import { startTestServers, type TestServers } from '../../packages/db/src/testing.ts';
import { offerServices, type TestServices } from '../services/testing.ts';

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers;
    services: TestServices;
  }
}

interface Project {
  provide(key: 'servers', value: TestServers): void;
  provide(key: 'services', value: TestServices): void;
}

/**
 * Starts the databases once for all test files, offers the other real servers to those that ask for them, and says at
 * the end which were tested.
 */
export default async function setup(project: Project): Promise<() => Promise<void>> {
  const [databases, offer] = await Promise.all([startTestServers(), offerServices()]);
  project.provide('servers', databases.servers);
  project.provide('services', offer.services);
  return async () => {
    await Promise.all([databases.stop(), offer.stop()]);
    const { lines, isOneMissing } = offer.report();
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
