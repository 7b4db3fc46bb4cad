import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/**
 * Stops what an earlier run may have left on the same data folder: the process named in its pid file, if that process
 * really works on this folder.
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
  process.kill(pid, options.signal);
  for (let waited = 0; isAlive(pid) && waited < 20_000; waited += 50) await sleep(50);
  if (isAlive(pid)) throw new Error(`Another server (process ${pid}) still works on ${options.dataDir}.`);
}
