import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

type Versions = Readonly<Record<string, string>>;

interface Locked {
  readonly name?: string;
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Versions;
  readonly devDependencies?: Versions;
  readonly optionalDependencies?: Versions;
  readonly peerDependencies?: Versions;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

export interface Dependency {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly licence: string;
  /** Folder, relative to the root of the repository. */
  readonly path: string;
  readonly integrity: string;
  /** Folders of the packages that it needs. */
  readonly needs: readonly string[];
}

export interface Manifest {
  readonly license?: unknown;
  readonly main?: string;
  readonly types?: string;
  readonly typings?: string;
  readonly exports?: unknown;
}

/** A peer of @trpc/server. The images remove it: it is needed by compilers only. */
const NOT_SHIPPED = ['typescript'];

const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
  packages: Readonly<Record<string, Locked>>;
};

export const manifestOf = (path: string): Manifest =>
  JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8')) as Manifest;

const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Finds a package as Node does: in `node_modules` of the folder, then of each folder above. */
function locate(from: string, name: string): string | null {
  const folders = from.split('/');
  for (let length = folders.length; length >= 0; length -= 1) {
    const path = [...folders.slice(0, length), 'node_modules', name].join('/');
    const locked = packages[path];
    if (locked) return locked.link ? (locked.resolved ?? path) : path;
  }
  return null;
}

function neededBy(path: string): string[] {
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = packages[path] ?? {};
  const peers = Object.keys(peerDependencies ?? {}).filter((name) => !peerDependenciesMeta?.[name]?.optional);
  return [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers]
    .filter((name) => !NOT_SHIPPED.includes(name))
    .map((name) => locate(path, name))
    .filter((found) => found !== null);
}

const isOurs = (path: string): boolean => !path.includes('node_modules/');

/** Everything that the workspaces need in production: our own workspaces, then packages from outside. */
function closure(workspaces: readonly string[]): Set<string> {
  const found = new Set(workspaces);
  // A set also visits what is added during the loop.
  for (const path of found) for (const needed of neededBy(path)) found.add(needed);
  return found;
}

const dependencyAt = (path: string): Dependency => {
  const { license } = manifestOf(path);
  const { version = '', integrity = '' } = packages[path] ?? {};
  const licence = typeof license === 'string' ? license : 'NONE';
  return { name: nameOf(path), version, licence, path, integrity, needs: neededBy(path) };
};

const byPath = (a: string, b: string): number => (a < b ? -1 : 1);

/** All workspaces: their folders. */
export const workspaces: readonly string[] = Object.keys(packages).filter((path) => path !== '' && isOurs(path));

/** Packages from outside that the given workspaces need in production, directly or not. */
export const productionDependencies = (of: readonly string[]): Dependency[] =>
  [...closure(of)]
    .filter((path) => !isOurs(path))
    .sort(byPath)
    .map(dependencyAt);

/** Packages from outside that a workspace or the root names, for production or development. */
export function directDependencies(): Dependency[] {
  const paths = ['', ...workspaces].flatMap((workspace) => {
    const { dependencies, devDependencies, optionalDependencies } = packages[workspace] ?? {};
    const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
    return names.map((name) => locate(workspace, name)).filter((path) => path !== null);
  });
  return [...new Set(paths)]
    .filter((path) => !isOurs(path))
    .sort(byPath)
    .map(dependencyAt);
}
