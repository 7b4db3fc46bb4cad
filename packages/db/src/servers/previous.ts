import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SUPERVISOR } from './supervised.ts';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Whether the supervisor of a server is running; it stops its server when its parent exits. */
async function isSupervised(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
  const commandLine = await readFile(`/proc/${parent}/cmdline`, 'utf8').catch(() => '');
  return commandLine.includes(SUPERVISOR);
}

/**
 * Stops a leftover server on the same data folder: the process in its pid file, if it really uses this folder. Throws
 * if another run still uses the server.
 */
export async function stopPrevious(options: {
  pidFile: string;
  dataDir: string;
  signal: NodeJS.Signals;
}): Promise<void> {
  const pid = Number.parseInt(await readFile(options.pidFile, 'utf8').catch(() => ''), 10);
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (!commandLine.includes(options.dataDir)) return;
  const isLeft = !(await isSupervised(pid));
  if (isLeft) process.kill(pid, options.signal);
  const patienceMs = isLeft ? 20_000 : 5_000;
  for (let waited = 0; isAlive(pid) && waited < patienceMs; waited += 50) await sleep(50);
  if (!isAlive(pid)) return;
  throw new Error(
    `Another server (process ${pid}) works on ${options.dataDir}. End what started it, or choose another folder.`,
  );
}
