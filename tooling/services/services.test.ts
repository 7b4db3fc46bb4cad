import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { isListening, startKafka, startMemcached } from './index.ts';
import { useService } from './testing.ts';

const services = inject('services');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'enterprise-access-services-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Sends one line and resolves with the first answer. */
async function ask(port: number, line: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(line);
  const [answer] = await once(socket, 'data');
  socket.destroy();
  return String(answer);
}

describe.skipIf(services.missing.memcached)('memcached', () => {
  test('is started once for all test files, and answers', async () => {
    const [first, second] = await Promise.all([useService(services, 'memcached'), useService(services, 'memcached')]);
    expect(second).toBe(first);
    expect(await ask(Number(first.split(':')[1]), 'version\r\n')).toMatch(/^VERSION /u);
  });

  test('ends with the process that started it, even when that is killed', async () => {
    const program = `
      import { startMemcached } from ${JSON.stringify(fileURLToPath(new URL('./index.ts', import.meta.url)))};
      const { port } = await startMemcached({ logFile: ${JSON.stringify(join(folder, 'log'))} });
      process.stdout.write(String(port));
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [text] = await once(child.stdout, 'data');
    const port = Number(String(text));
    expect(await isListening(port)).toBe(true);
    child.kill('SIGKILL');
    while (await isListening(port)) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test('a port in use is refused', async () => {
    const stranger = createServer().listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    const address = stranger.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    await expect(startMemcached({ logFile: join(folder, 'log'), port })).rejects.toThrow(`Port ${port} is in use.`);
    stranger.close();
  });
});

describe.skipIf(services.missing.kafka)('Kafka', () => {
  test('a start that fails says why', async () => {
    await expect(startKafka({ dataDir: join(folder, 'kafka'), advertisedPort: -2 })).rejects.toThrow(/-2/u);
  });
});

test('a service that does not exist is no service', async () => {
  await expect(useService(services, 'postgres' as never)).rejects.toThrow('There is no service /postgres.');
});
