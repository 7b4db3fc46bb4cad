import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import satisfies from 'spdx-satisfies';
import {
  type Dependency,
  directDependencies,
  type Manifest,
  manifestOf,
  productionDependencies,
  ROOT,
  workspaces,
} from './dependencies.ts';
import { LICENCES, otherLicences, type Reasons, shields, untyped } from './exceptions.ts';

export function isPermitted(licence: string): boolean {
  try {
    return satisfies(licence, LICENCES);
  } catch {
    return false; // not an SPDX expression
  }
}

const declaration = (file: string): string => file.replace(/(\.[cm]?js)?$/, '.d.ts');

/** Whether the package declares types or has them beside its entry, or has a package in `@types`. */
export function hasTypes(name: string, path: string, manifest: Manifest): boolean {
  const { types, typings, main, exports } = manifest;
  if (types || typings || /"types"|\.d\.[cm]?ts"/.test(JSON.stringify(exports ?? ''))) return true;
  const entries = ['index.js', main, exports].filter((entry) => typeof entry === 'string');
  if (entries.some((entry) => existsSync(join(ROOT, path, declaration(entry))))) return true;
  return existsSync(join(ROOT, 'node_modules/@types', name.replace(/^@(.+)\//, '$1__')));
}

/** `found` without what has a reason, and reasons that nothing needs. */
export function unexplained(found: ReadonlyMap<string, string>, reasons: Reasons): string[] {
  const stale = Object.keys(reasons).filter((name) => !found.has(name));
  return [
    ...[...found].filter(([name]) => !(name in reasons)).map(([name, what]) => `${name}: ${what}`),
    ...stale.map((name) => `${name}: has an exception that it does not need`),
  ];
}

const licenceFindings = (dependencies: readonly Dependency[]): string[] =>
  unexplained(
    new Map(
      dependencies
        .filter(({ licence }) => !isPermitted(licence))
        .map(({ name, version, licence }) => [name, `version ${version} has the licence ${licence}`]),
    ),
    otherLicences,
  );

const typeFindings = (dependencies: readonly Dependency[]): string[] =>
  unexplained(
    new Map(
      dependencies
        .filter(({ name, path }) => !hasTypes(name, path, manifestOf(path)))
        .map(({ name }) => [name, 'has no types']),
    ),
    untyped,
  );

/** Files of production code that import the library. */
function importersOf(library: string, files: ReadonlyMap<string, string>): string[] {
  const imported = new RegExp(`(from|import|import\\(|require\\() ?'${library}(/[^']*)?'`);
  return [...files].filter(([, text]) => imported.test(text)).map(([path]) => path);
}

export function shieldFindings(files: ReadonlyMap<string, string>): string[] {
  return Object.entries(shields).flatMap(([library, allowed]) => {
    const importers = importersOf(library, files);
    return [
      ...importers.filter((path) => !allowed.includes(path)).map((path) => `${library}: ${path} must not import it`),
      ...allowed.filter((path) => !importers.includes(path)).map((path) => `${library}: ${path} does not import it`),
    ];
  });
}

const productionFiles = (): Map<string, string> =>
  new Map(
    globSync('{apps,packages}/*/src/**/*.ts', { cwd: ROOT })
      .filter((path) => !path.endsWith('.test.ts'))
      .map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]),
  );

/** What is wrong with the installed libraries; needs no network. */
export function offlineFindings(): string[] {
  const direct = directDependencies();
  const shipped = productionDependencies(workspaces.filter((path) => !path.startsWith('tooling/')));
  const all = [...new Map([...direct, ...shipped].map((dependency) => [dependency.path, dependency])).values()];
  return [...licenceFindings(all), ...typeFindings(direct), ...shieldFindings(productionFiles())];
}
