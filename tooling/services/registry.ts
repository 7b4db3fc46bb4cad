import { existsSync, readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { supervised } from '@enterprise-access/db/servers';
import { findProgram, folders, program } from './paths.ts';
import { portFor } from './ports.ts';

export interface RegistryOptions {
  /** File for the schemas, without extension; default in memory. */
  readonly dataFile?: string;
  readonly logFile: string;
  readonly port?: number;
}

export interface RunningRegistry {
  readonly port: number;
  /** Base URL of the Confluent-compatible API, for `SCHEMA_REGISTRY_URL`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Why the registry cannot be started here, or null when it can. */
export function registryMissing(): string | null {
  if (findProgram('java') === null) return 'java is not installed';
  return existsSync(folders.registry()) ? null : 'the schema registry is not installed (npm run services:install)';
}

/** Starts Apicurio, which is compatible with Confluent's schema registry, on the loopback interface. */
export async function startRegistry(options: RegistryOptions): Promise<RunningRegistry> {
  const missing = registryMissing();
  if (missing !== null) throw new Error(`${missing}.`);
  const folder = folders.registry();
  const archive = readdirSync(folder).find((name) => name.endsWith('-runner.jar'));
  if (archive === undefined) throw new Error(`There is no runner in ${folder}.`);
  const port = await portFor(options);
  await mkdir(dirname(resolve(options.logFile)), { recursive: true });
  const server = supervised(
    {
      program: program('java'),
      args: [
        '-Xms64m',
        '-Xmx320m',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-Dquarkus.http.host=127.0.0.1',
        `-Dquarkus.http.port=${port}`,
        '-Dquarkus.http.access-log.enabled=false',
        '-Dquarkus.banner.enabled=false',
        ...(options.dataFile === undefined
          ? []
          : [`-Dapicurio.datasource.url=jdbc:h2:file:${resolve(options.dataFile)}`]),
        '-jar',
        join(folder, archive),
      ],
    },
    { logFile: options.logFile, stopSignal: 'SIGTERM' },
  );
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  await server.ready(() => answers(`${url}/subjects`), 60_000);
  return { port, url, stop: server.stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}
