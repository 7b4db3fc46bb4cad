import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { newUuid } from '@enterprise-access/domain';
import { chromium } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demonstration, dialects, operatorToken, run, startApp } from '../../../apps/api/test/support/harness.ts';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const fixtures = fileURLToPath(new URL('stranger/', import.meta.url));

/** Of each of the compilers that users have, where its program is. */
const compilers = ['typescript-5.9', 'typescript-6', '.'].map((workspace) => {
  const from = createRequire(join(root, workspace === '.' ? '' : 'tooling', workspace, 'package.json'));
  const manifest = from.resolve('typescript/package.json');
  return { version: (from(manifest) as { version: string }).version, program: join(dirname(manifest), 'bin/tsc') };
});

const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** Runs a program and gives what it printed; a failure says what the program said. */
async function output(program: string, args: string[], options: { cwd: string; env?: NodeJS.ProcessEnv }) {
  try {
    return (await execute(program, args, options)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${program} ${args.join(' ')}\n${stdout}\n${stderr}`);
  }
}

const compilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  target: 'ES2022',
  module: 'NodeNext',
  lib: ['ES2022', 'DOM', 'DOM.Iterable'],
  types: [],
};

let folder: string;
let world: Awaited<ReturnType<typeof startApp>>;
let baseUrl: string;
let site: Server;
let origin: string;

/** Packs a copy: while it is packed, the manifest says what is published. */
async function packed(): Promise<string> {
  const copy = join(folder, 'source');
  const keep = (path: string) => !/\/(node_modules|dist|test)$/.test(path);
  await cp(join(root, 'packages/sdk'), join(copy, 'packages/sdk'), { recursive: true, filter: keep });
  for (const file of ['tsconfig.base.json', 'LICENSE']) await cp(join(root, file), join(copy, file));
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  await output('npm', ['pack', '--pack-destination', folder], { cwd: join(copy, 'packages/sdk'), env });
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  if (!tarball) throw new Error('Nothing was packed.');
  return join(folder, tarball);
}

/** Serves the files of a folder. */
const serveFiles = (directory: string): Server =>
  createServer(async (request, reply) => {
    const path = request.url === '/' ? '/index.html' : (request.url ?? '').split('?')[0];
    const type = { '.html': 'text/html', '.js': 'text/javascript' }[extname(path ?? '')] ?? 'application/octet-stream';
    const body = await readFile(join(directory, path ?? '')).catch(() => null);
    reply.writeHead(body ? 200 : 404, { 'content-type': type }).end(body);
  });

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'sdk-stranger-')));
  const home = join(folder, 'project');
  await mkdir(home);
  await writeFile(join(home, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }));
  const tarball = await packed();
  // Nothing else is needed: the package has no dependencies.
  await output('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: home });
  for (const file of ['scenario.ts', 'components.ts']) await cp(join(fixtures, file), join(home, file));
  await writeFile(
    join(home, 'main.ts'),
    "import { argv } from 'node:process';\nimport { scenario } from './scenario.js';\nconsole.log(JSON.stringify(await scenario(JSON.parse(argv[2] ?? ''))));\n",
  );
  site = serveFiles(join(home, 'site'));
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  const [dialect] = dialects;
  if (!dialect) throw new Error('There is no database.');
  world = await startApp(dialect, { env: { CORS_ORIGINS: origin } });
  baseUrl = await world.app.listen({ host: '127.0.0.1', port: 0 });
}, 180_000);

afterAll(async () => {
  site?.close();
  await world?.stop();
  if (folder) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

const project = () => join(folder, 'project');

async function known(lmsUserId: number) {
  const jobUuid = newUuid();
  const now = new Date('2026-06-01T12:00:00.000Z');
  const row = { uuid: jobUuid, name: 'test.long', enterprise_customer_uuid: demonstration.customer };
  await world.db('job_runs').insert({ ...row, state: 'completed', done: 1, created: now, modified: now });
  return {
    baseUrl,
    token: operatorToken(),
    enterpriseCustomerUuid: demonstration.customer,
    policyUuid: demonstration.spendPolicy,
    contentKey: run,
    lmsUserId,
    jobUuid,
  };
}

const success = {
  found: true,
  year: true,
  same: true,
  missing: 'NotFoundError 404',
  aborted: true,
  states: ['completed'],
  together: true,
};

test('the package brings nothing but itself', async () => {
  const installed = await readdir(join(project(), 'node_modules'));
  expect(installed.filter((name) => !name.startsWith('.'))).toEqual(['@enterprise-access']);
  const inside = join(project(), 'node_modules/@enterprise-access/sdk');
  const files = await readdir(inside, { recursive: true, encoding: 'utf8' });
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'dist/index.js', 'dist/index.d.ts']));
  for (const name of files.filter((file) => /\.(js|d\.ts)$/.test(file))) {
    const text = await readFile(join(inside, name), 'utf8');
    const imports = [...text.matchAll(/(?:from|import) '([^']+)'/g)].map(([, specifier]) => specifier);
    const foreign = imports.filter((specifier) => !specifier?.startsWith('.'));
    expect(foreign, name).toEqual(name === 'dist/react-factories.d.ts' ? ['@tanstack/react-query'] : []);
  }
});

describe.each(compilers)('with TypeScript $version', ({ version, program }) => {
  const compile = async (name: string, change: object, files: string[]) => {
    const config = join(project(), `tsconfig.${name}-${version}.json`);
    const outDir = `out-${version}`;
    const text = JSON.stringify({ compilerOptions: { ...compilerOptions, outDir, ...change }, files });
    await writeFile(config, text);
    await output(process.execPath, [program, '-p', config], { cwd: project() });
    return join(project(), outDir);
  };

  test('a Node project is type-checked strictly, libraries too, and runs', async () => {
    const types = join(root, 'node_modules/@types');
    const out = await compile('node', { lib: ['ES2022'], types: ['node'], typeRoots: [types] }, ['main.ts']);
    await writeFile(join(out, 'package.json'), '{"type":"module"}');
    const given = JSON.stringify(await known(1_100 + compilers.findIndex((each) => each.version === version)));
    const printed = await output(process.execPath, [join(out, 'main.js'), given], { cwd: project() });
    expect(JSON.parse(printed)).toEqual(success);
  });

  test('a browser project with TanStack Query is type-checked strictly, libraries too', async () => {
    const libraries = ['@tanstack/react-query', '@tanstack/query-core', '@types/react', 'csstype'];
    const paths = Object.fromEntries(
      libraries.map((name) => [name.replace('@types/', ''), [join(root, 'node_modules', name)]]),
    );
    const change = { module: 'ESNext', moduleResolution: 'Bundler', paths, noEmit: true };
    await compile('browser', change, ['scenario.ts', 'components.ts']);
  });
});

test.skipIf(browser === undefined && process.env.REQUIRE_SERVICES !== 'all')(
  'a page that Vite has built runs in Chromium',
  async () => {
    const given = await known(1_200);
    await writeFile(join(project(), 'index.html'), '<body><script type="module" src="/page.ts"></script></body>');
    await writeFile(
      join(project(), 'page.ts'),
      `import { scenario } from './scenario.js';
       scenario(${JSON.stringify(given)}).then(JSON.stringify, String).then((text) => { document.body.dataset.result = text; });`,
    );
    await build({ root: project(), configFile: false, logLevel: 'silent', build: { outDir: 'site' } });
    const opened = await chromium.launch({ executablePath: browser ?? 'chromium', args: ['--no-sandbox'] });
    try {
      const page = await opened.newPage();
      await page.goto(origin);
      const body = await page.waitForSelector('body[data-result]');
      expect(JSON.parse((await body.getAttribute('data-result')) ?? '')).toEqual(success);
    } finally {
      await opened.close();
    }
  },
);
