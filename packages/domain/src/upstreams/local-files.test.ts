import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FileLink } from '../kernel/ports/files.ts';
import { localFiles } from './local-files.ts';

const NAME = 'customer/job/Results-2026-06-01T12:00:00.000Z.csv';
const SECRET = 'a secret of the tests only, long enough';

async function* parts(...texts: string[]) {
  yield* texts;
}

/** The parts of a link, as the route gets them. */
function linkOf(url: string): FileLink {
  const { pathname, searchParams } = new URL(url);
  const [expires = '', signature = ''] = [searchParams.get('expires') ?? '', searchParams.get('signature') ?? ''];
  return { name: decodeURIComponent(pathname).replace('/base/files/', ''), expires, signature };
}

describe('files in a folder', () => {
  let folder: string;
  let now = new Date('2026-06-01T12:00:00Z');
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'files-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const files = (secret = SECRET) =>
    localFiles({ folder, secret, publicUrl: 'http://access.test/base', clock: () => now });
  const read = async (link: FileLink, from = files()) => {
    const content = await from.open(link);
    return content === null ? null : text(content);
  };

  test('a file is stored for this service alone, read by its link, replaced and removed', async () => {
    await files().write(NAME, parts('a', 'b'));
    const link = linkOf(await files().linkTo(NAME, 300));
    expect(await read(link)).toBe('ab');
    expect((await stat(join(folder, NAME))).mode & 0o777).toBe(0o600);
    await files().write(NAME, parts('c'));
    expect(await read(link)).toBe('c');
    await files().remove(NAME);
    await files().remove(NAME);
    expect(await read(link)).toBeNull();
  });

  test('a link lives as long as asked, and holds for its file alone', async () => {
    await files().write(NAME, parts('a'));
    await files().write('other.csv', parts('b'));
    const link = linkOf(await files().linkTo(NAME, 300));
    expect(await read({ ...link, name: 'other.csv' })).toBeNull();
    expect(await read({ ...link, expires: String(Number(link.expires) + 1) })).toBeNull();
    expect(await read({ ...link, signature: `${link.signature}x` })).toBeNull();
    expect(await read(link, files('another secret of the tests only, long'))).toBeNull();
    now = new Date('2026-06-01T12:04:59Z');
    expect(await read(link)).toBe('a');
    now = new Date('2026-06-01T12:05:00Z');
    expect(await read(link)).toBeNull();
  });

  test.each(['../out.csv', 'a/../../out.csv', '/etc/passwd', '.hidden', 'a//b', 'a b', ''])(
    'a name that leads elsewhere is refused: %s',
    async (name) => {
      await expect(files().write(name, parts('x'))).rejects.toThrow('not valid');
      await expect(files().linkTo(name, 1)).rejects.toThrow('not valid');
    },
  );

  test('a file that could not be written whole leaves nothing behind', async () => {
    async function* broken() {
      yield 'a';
      throw new Error('broken');
    }
    await expect(files().write('broken/x.csv', broken())).rejects.toThrow('broken');
    expect(await readdir(join(folder, 'broken'))).toEqual([]);
  });
});
