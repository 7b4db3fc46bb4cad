import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

const PROCESS = new URL('./process.ts', import.meta.url).href;

/** A process whose `stop` is this code; what it logs when it is told to stop, and how it ends. */
async function stopped(stop: string) {
  const program = `
    import { runProcess } from '${PROCESS}';
    const say = (_fields, message) => console.log(message);
    setInterval(() => undefined, 1_000);
    await runProcess('test', 'PORT', async () => ({ log: { info: say, error: say }, address: 'here', stop: async () => { ${stop} } }));
    process.kill(process.pid, 'SIGTERM');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code, errors, lines: output.split('\n').filter(Boolean) };
}

test('a stopped process exits with 0', async () => {
  expect(await stopped('')).toEqual({ code: 0, errors: '', lines: ['ready', 'stopping', 'stopped'] });
});

test('what cannot be ended in order is logged, and the exit code says so: no message of a driver gets out', async () => {
  expect(await stopped("throw new Error('a value of a row')")).toEqual({
    code: 1,
    errors: '',
    lines: ['ready', 'stopping', 'graceful shutdown failed'],
  });
});
