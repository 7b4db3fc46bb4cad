import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';
import type { Row } from './measure.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const program = (head: string, option: string): string => `${head}
import { EnterpriseAccess } from '@enterprise-access/sdk';
const access = new EnterpriseAccess({ baseUrl: location.origin${option} });
access.policies.get({ uuid: location.hash }).then(console.log);
`;

/** Bytes of a program as browsers load it. */
async function bytesOf(text: string): Promise<{ minified: number; compressed: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-size-'));
  try {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'main.js'), text);
    const built = (await build({
      root: folder,
      configFile: false,
      logLevel: 'silent',
      build: { write: false, modulePreload: { polyfill: false }, rolldownOptions: { input: join(folder, 'main.js') } },
    })) as Rolldown.RolldownOutput;
    const code = built.output.map((chunk) => ('code' in chunk ? chunk.code : '')).join('');
    return { minified: Buffer.byteLength(code), compressed: gzipSync(code, { level: 9 }).length };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(2)} kB`;

/** The client with one operation used, as Vite bundles and minifies it, compressed with gzip. */
export async function size(): Promise<Row[]> {
  const rows = [
    ['without superjson', program('', ''), 8_000],
    ['with superjson', program("import superjson from 'superjson';", ', serializer: superjson'), 14_000],
  ] as const;
  const measured: Row[] = [];
  for (const [name, text, limit] of rows) {
    const { minified, compressed } = await bytesOf(text);
    measured.push({
      name: `size: one operation, minified ${kilobytes(minified)}, compressed, ${name}`,
      ours: kilobytes(compressed),
      reference: kilobytes(limit),
      ratio: compressed / limit,
      bar: { at: 'most', value: 1 },
    });
  }
  return measured;
}
