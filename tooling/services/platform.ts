import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { folders, PLATFORM_PROGRAM } from './paths.ts';

/** Why the platform's Python event bus cannot be run here, or null when it can. */
export const platformMissing = (): string | null =>
  existsSync(join(folders.platform(), 'installed'))
    ? null
    : "the platform's event bus is not installed (npm run services:install)";

export interface PlatformCommand {
  readonly command: 'schemas' | 'produce' | 'consume';
  readonly brokers?: string;
  readonly registryUrl?: string;
  readonly topicPrefix?: string;
  /** Input of the command, see `platform/event_bus.py`. */
  readonly input: unknown;
}

/** Runs the platform's own event bus code once; resolves with what it answers. */
export function runPlatform(options: PlatformCommand): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(folders.platform(), 'bin', 'python'), [PLATFORM_PROGRAM, options.command], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let output = '';
    let log = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString('utf8')).slice(-8_000);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output));
      else reject(new Error(`The platform's event bus failed:\n${log}`));
    });
    child.stdin.end(
      JSON.stringify({
        brokers: options.brokers ?? '',
        registry_url: options.registryUrl ?? '',
        topic_prefix: options.topicPrefix ?? '',
        input: options.input,
      }),
    );
  });
}
