/**
 * Runs one server program in the place of our process: outside its terminal's process group, so that Ctrl-C reaches us
 * first, and with a pipe to us as standard input. The pipe ends when we do, however we do, and the server is stopped:
 * nothing is left behind even by a SIGKILL.
 */
import { spawn } from 'node:child_process';

const [stopSignal = 'SIGTERM', program = '', ...args] = process.argv.slice(2);
const server = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });

const stop = () => server.kill(stopSignal as NodeJS.Signals);

server.on('error', () => process.exit(127));
server.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
process.stdin.on('end', stop).on('error', stop).resume();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop);
