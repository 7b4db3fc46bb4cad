import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { s3Files } from './s3-files.ts';

/** A stand-in that checks signatures with code of its own. It has no types. */
interface Server {
  run(): Promise<{ readonly port: number }>;
  close(): Promise<void>;
}
const require = createRequire(import.meta.url);
const S3rver: new (options: object) => Server = require('@20minutes/s3rver');

const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
const NAME = 'customer/job/Bulk-Enrollment-Results-2026-06-01T12:00:00.000Z.csv';

async function* parts(...texts: string[]) {
  yield* texts;
}

describe('files in a bucket', () => {
  let server: Server;
  let folder: string;
  let endpoint: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bucket-'));
    server = new S3rver({
      port: 0,
      address: '127.0.0.1',
      silent: true,
      directory: folder,
      configureBuckets: [{ name: 'results', configs: [] }],
    });
    endpoint = `http://127.0.0.1:${(await server.run()).port}`;
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });
  const files = (change = {}) =>
    s3Files({ bucket: 'results', region: 'us-east-1', endpoint, credentials, timeoutMs: 10_000, ...change });

  test('a file is stored, downloaded as an attachment by a link that lives as long as asked, and removed', async () => {
    await files().write(NAME, parts('a,b\r\n', '1,2\r\n'));
    const link = await files().linkTo(NAME, 300);
    expect(new URL(link).searchParams.get('X-Amz-Expires')).toBe('300');
    const reply = await fetch(link);
    expect(await reply.text()).toBe('a,b\r\n1,2\r\n');
    expect(reply.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(reply.headers.get('content-disposition')).toBe(
      'attachment; filename="Bulk-Enrollment-Results-2026-06-01T12:00:00.000Z.csv"',
    );
    await files().remove(NAME);
    await files().remove(NAME);
    expect((await fetch(link)).status).toBe(404);
  });

  test('a link that was changed is refused', async () => {
    await files().write(NAME, parts('secret'));
    const link = new URL(await files().linkTo(NAME, 300));
    link.searchParams.set('X-Amz-Expires', '3000');
    expect((await fetch(link)).status).toBe(403);
  });

  test('a file of more than one part is whole', async () => {
    const line = `${'x'.repeat(99)}\n`;
    async function* long() {
      for (let at = 0; at < 120; at += 1) yield line.repeat(1_000);
    }
    await files().write('large.csv', long());
    expect((await (await fetch(await files().linkTo('large.csv', 60))).text()).length).toBe(12_000_000);
  });

  test('a second file of the same name replaces the first; a bucket that does not exist is an error', async () => {
    await files().write('same.csv', parts('one'));
    await files().write('same.csv', parts('two'));
    expect(await (await fetch(await files().linkTo('same.csv', 60))).text()).toBe('two');
    await expect(files({ bucket: 'missing' }).write('same.csv', parts('one'))).rejects.toThrow();
  });
});
