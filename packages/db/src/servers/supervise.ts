/**
 * Supervises one server program. It runs outside of the terminal's process group, so Ctrl-C does not reach the server
 * directly. Its standard input is a pipe from the parent: when the parent exits, even by SIGKILL, the pipe closes and
 * the server is stopped.
 */
import { spawn } from 'node:child_process';

const [stopSignal = 'SIGTERM', program = '', ...args] = process.argv.slice(2);
const server = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });

const stop = () => server.kill(stopSignal as NodeJS.Signals);

server.on('error', () => process.exit(127));
server.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
process.stdin.on('end', stop).on('error', stop).resume();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop);
