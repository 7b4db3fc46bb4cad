import { parseArgs } from 'node:util';
import type { SandboxOptions } from './index.ts';
import { startSandbox } from './index.ts';

const DEFAULT_PORT = 18300;
const USAGE = 'Usage: main.ts [--port 18300] [--host 127.0.0.1] [--catalog FILE.csv] [--token-secret TEXT] [--log]';

function readOptions(): SandboxOptions {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      catalog: { type: 'string' },
      'token-secret': { type: 'string' },
      log: { type: 'boolean' },
    },
  });
  const port = Number(values.port ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port ${values.port} is not a port.`);
  return {
    port,
    ...(values.host !== undefined && { host: values.host }),
    ...(values.catalog !== undefined && { catalogFile: values.catalog }),
    ...(values['token-secret'] !== undefined && { tokenSecret: values['token-secret'] }),
    logger: values.log ?? false,
  };
}

async function main(): Promise<void> {
  const sandbox = await startSandbox(readOptions());
  console.log(`Sandbox on ${sandbox.url}, ${sandbox.state.content.courses.size} courses`);
  for (const prefix of ['/oauth2/access_token', '/lms', '/catalog', '/subsidy', '/braze', '/control']) {
    console.log(`  ${sandbox.url}${prefix}`);
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void sandbox.close());
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  console.error(USAGE);
  process.exitCode = 1;
});
