import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A database server that runs until it is stopped or this process exits. */
export interface RunningServer {
  readonly kind: 'postgres' | 'mariadb';
  readonly port: number;
  /** Connection URL of a database on this server. */
  url(database: string): string;
  /** Ends the server and waits until it is gone. */
  stop(): Promise<void>;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** Adds a prefix to a command, to run a program as another user. */
export const through = (prefix: readonly string[], command: Command): Command => {
  const [program, ...args] = [...prefix, command.program, ...command.args];
  return { program: program ?? command.program, args };
};

export interface Supervised {
  stop(): Promise<void>;
  /** Resolves when `isReady` returns true; rejects with the end of the log if the server exits before. */
  ready(isReady: () => Promise<boolean>, timeoutMs: number): Promise<void>;
}

/** Path of the supervisor program. */
export const SUPERVISOR = fileURLToPath(new URL('./supervise.ts', import.meta.url));

export function supervised(command: Command, options: { logFile: string; stopSignal: NodeJS.Signals }): Supervised {
  const log = openSync(options.logFile, 'a', 0o600);
  const child = spawn(process.execPath, [SUPERVISOR, options.stopSignal, command.program, ...command.args], {
    detached: true,
    stdio: ['pipe', log, log],
  });
  closeSync(log);
  const { stdin } = child;
  if (!stdin) throw new Error(`${command.program} could not be started.`);
  stdin.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    async stop() {
      if (hasEnded(child)) return;
      stdin.end();
      await ended;
    },
    async ready(isReady, timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      while (!(await isReady())) {
        if (hasEnded(child) || Date.now() > deadline) {
          stdin.end();
          throw new Error(`${command.program} did not start:\n${await lastLines(options.logFile)}`);
        }
        await sleep(25);
      }
    },
  };
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-15).join('\n');
}

/** Runs a program until it exits; an error includes its output. */
export function run(command: Command): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command.program, command.args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-4_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command.program} failed:\n${output}`)),
    );
  });
}
