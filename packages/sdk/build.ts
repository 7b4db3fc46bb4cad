/**
 * Runs before and after `npm pack` and `npm publish`. In the repository the package is TypeScript source; the
 * published package is JavaScript with declarations, so its manifest has other entry points and no tooling.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const folder = import.meta.dirname;
const manifest = join(folder, 'package.json');
const aside = join(folder, 'package.json.source');
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

const entry = (name: string) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` });

/** Renames imports in declarations; the compiler does that in JavaScript only. */
function renameImports(): void {
  for (const name of readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.d.ts')) continue;
    const file = join(folder, 'dist', name);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/(from '\.{1,2}\/[^']+)\.ts'/g, "$1.js'"));
  }
}

function pack(): void {
  rmSync(join(folder, 'dist'), { recursive: true, force: true });
  execFileSync(process.execPath, [compiler, '-p', join(folder, 'tsconfig.build.json')], { stdio: 'inherit' });
  renameImports();
  copyFileSync(join(folder, '../../LICENSE'), join(folder, 'LICENSE'));
  const text = readFileSync(manifest, 'utf8');
  const { scripts: _scripts, devDependencies: _tools, ...published } = JSON.parse(text);
  published.exports = { '.': entry('index'), './react': entry('react'), './package.json': './package.json' };
  writeFileSync(aside, text);
  writeFileSync(manifest, `${JSON.stringify(published, null, 2)}\n`);
}

function restore(): void {
  if (existsSync(aside)) renameSync(aside, manifest);
  rmSync(join(folder, 'LICENSE'), { force: true });
}

if (process.argv[2] === 'pack') pack();
else restore();
