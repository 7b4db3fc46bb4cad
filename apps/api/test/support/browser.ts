import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const PROGRAM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const DEADLINE_MS = 30_000;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly entry?: { readonly text: string } };
  readonly result?: unknown;
}

/** Opens a page in a real browser over its debugging protocol; null if no browser is installed. */
export async function openPage(url: string, headers: Readonly<Record<string, string>>) {
  if (!PROGRAM) return null;
  const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-browser-'));
  const args = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--remote-debugging-port=0',
    `--user-data-dir=${folder}`,
  ];
  const browser = spawn(PROGRAM, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise((resolve) => browser.once('exit', resolve));
  let port = '';
  for await (const line of createInterface(browser.stderr)) {
    port = /ws:\/\/[^:]+:(\d+)/.exec(line)?.[1] ?? '';
    if (port !== '') break;
  }
  browser.stderr.resume();
  const reply = await fetch(`http://127.0.0.1:${port}/json/new?about:blank`, { method: 'PUT' });
  const { webSocketDebuggerUrl } = (await reply.json()) as { webSocketDebuggerUrl: string };
  const socket = new WebSocket(webSocketDebuggerUrl);
  await new Promise((opened) => socket.addEventListener('open', opened, { once: true }));
  const waiting = new Map<number, (result: unknown) => void>();
  const violations: string[] = [];
  socket.addEventListener('message', ({ data }) => {
    const message: Message = JSON.parse(String(data));
    if (message.id !== undefined) waiting.get(message.id)?.(message.result);
    const text = message.method === 'Log.entryAdded' ? message.params?.entry?.text : undefined;
    if (text?.includes('Content Security Policy')) violations.push(text);
  });
  let last = 0;
  const ask = <T>(method: string, params: object = {}): Promise<T> => {
    last += 1;
    socket.send(JSON.stringify({ id: last, method, params }));
    return new Promise((resolve) => waiting.set(last, resolve as (result: unknown) => void));
  };
  const run = async (expression: string): Promise<unknown> => {
    const { result } = await ask<{ result: { value: unknown } }>('Runtime.evaluate', {
      expression,
      returnByValue: true,
    });
    return result.value;
  };
  await ask('Log.enable');
  await ask('Network.enable');
  await ask('Network.setExtraHTTPHeaders', { headers });
  await ask('Page.navigate', { url });
  return {
    /** Violations of the content security policy. */
    violations,
    run,
    /** Resolves when the expression is true in the page. */
    async until(expression: string): Promise<void> {
      for (const end = Date.now() + DEADLINE_MS; Date.now() < end; ) {
        if (await run(`Boolean(${expression})`)) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`Not true in the page: ${expression}\n${await run('document.body.innerText')}`);
    },
    async close(): Promise<void> {
      socket.close();
      browser.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
