import { startTestServers, type TestServers } from '../../packages/db/src/testing.ts';

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers;
  }
}

interface Project {
  provide(key: 'servers', value: TestServers): void;
}

/** Starts the real servers once for all test files, and says at the end which were tested. */
export default async function setup(project: Project): Promise<() => Promise<void>> {
  const { servers, stop } = await startTestServers();
  project.provide('servers', servers);
  return async () => {
    await stop();
    let hasSkipped = false;
    for (const [name, server] of Object.entries(servers)) {
      const isSkipped = 'skipped' in server;
      hasSkipped ||= isSkipped;
      process.stdout.write(`${name}: ${isSkipped ? `skipped, ${server.skipped}` : 'tested'}\n`);
    }
    if (hasSkipped && process.env.REQUIRE_SERVICES === 'all') {
      process.stderr.write('REQUIRE_SERVICES=all, and a server is missing.\n');
      process.exitCode = 1;
    }
  };
}
