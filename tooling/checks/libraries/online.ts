import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Dependency } from './dependencies.ts';
import type { Reasons } from './exceptions.ts';

/** What a registry says about a package. */
export interface Published {
  /** Time of publication by version. */
  readonly time: Readonly<Record<string, string>>;
  /** Why the installed version should not be used any more. */
  readonly deprecated?: string | undefined;
}

export type LookUp = (name: string, version: string) => Promise<Published>;

export interface Comparison {
  /** Must be repaired or explained. */
  readonly findings: readonly string[];
  /** Packages with newer versions. */
  readonly newer: readonly string[];
}

/** The registry cannot be reached. */
export class Offline extends Error {
  override readonly name = 'Offline';
}

const STABLE = /^(\d+)\.(\d+)\.(\d+)$/;
const MONTHS = 24;

/** Sorts versions without a suffix. */
function byVersion(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(/[.-]/, 3).map(Number)) as [number[], number[]];
  const at = left.findIndex((part, index) => part !== right[index]);
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}

const limit = (now: Date): Date => {
  const date = new Date(now);
  date.setUTCMonth(date.getUTCMonth() - MONTHS);
  return date;
};

/** The stable release with the highest version and the one with the latest date; tags are not trusted. */
function newest({ time }: Published): { version: string; date: Date } | null {
  const versions = Object.keys(time).filter((version) => STABLE.test(version));
  const version = versions.toSorted(byVersion).at(-1);
  if (version === undefined) return null;
  return { version, date: new Date(Math.max(...versions.map((each) => Date.parse(time[each] ?? '')))) };
}

export async function compare(
  dependencies: readonly Dependency[],
  lookUp: LookUp,
  { now, old, held }: { readonly now: Date; readonly old: Reasons; readonly held: Reasons },
): Promise<Comparison> {
  const findings: string[] = [];
  const newer: string[] = [];
  for (const { name, version } of dependencies) {
    const published = await lookUp(name, version);
    if (published.deprecated) findings.push(`${name}: ${version} is deprecated: ${published.deprecated}`);
    const last = newest(published);
    if (!last) continue;
    // Packages of types change with their libraries only.
    const isOld = last.date < limit(now) && !name.startsWith('@types/');
    if (isOld && !(name in old)) findings.push(`${name}: last release ${last.date.toISOString().slice(0, 10)}`);
    if (byVersion(version, last.version) >= 0) continue;
    newer.push(`${name}: ${version}, newest ${last.version}${held[name] ? ` (${held[name]})` : ''}`);
  }
  return { findings, newer };
}

const UNREACHABLE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED)\b/;

/** Asks the registry that npm is configured for. */
export const askNpm: LookUp = async (name, version) => {
  const args = ['view', `${name}@${version}`, 'time', 'deprecated', '--json', '--fetch-retries=0', '--prefer-online'];
  const run = promisify(execFile)('npm', args, { maxBuffer: 64 * 1024 * 1024 });
  const { stdout } = await run.catch((error: Error & { stdout?: string; stderr?: string }) => {
    const said = `${error.stdout ?? ''}${error.stderr ?? ''}`;
    throw UNREACHABLE.test(said) ? new Offline('The registry cannot be reached.') : error;
  });
  const answer = JSON.parse(stdout) as Published | Published['time'];
  // npm leaves out the names of the fields if only one has a value.
  return 'time' in answer && typeof answer.time === 'object'
    ? (answer as Published)
    : { time: answer as Published['time'] };
};
