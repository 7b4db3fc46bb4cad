import { EnvironmentError } from './environment.ts';

/** Time limit of a graceful shutdown in milliseconds; the default of orchestrators. */
const DRAIN_MS = 30_000;

/** A started process. */
export interface Running {
  /** URL that it listens on. */
  readonly address: string;
  /** Accepts no new work, finishes current work and releases all resources. */
  stop(): Promise<void>;
}

interface Note {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Runs a process: start, report readiness to the parent process, and one ordered shutdown on a signal or when the
 * parent exits. A failed start prints the reason, without a stack for configuration errors; for a port in use it
 * names the variable of the port.
 */
export async function runProcess(
  name: string,
  portVariable: string,
  start: () => Promise<Running & { readonly log: Note }>,
): Promise<void> {
  try {
    const { log, address, stop } = await start();
    let isStopping = false;
    const stopOnce = async (cause: string) => {
      if (isStopping) return;
      isStopping = true;
      log.info({ cause }, 'stopping');
      // Exit even if the shutdown hangs.
      setTimeout(() => process.exit(1), DRAIN_MS).unref();
      try {
        await stop();
      } catch (error) {
        log.error({ err: error }, 'graceful shutdown failed');
        process.exit(1);
      }
      log.info({}, 'stopped');
      process.exit(0);
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stopOnce(signal));
    process.on('disconnect', () => void stopOnce('parent is gone'));
    log.info({ address }, 'ready');
    // Tell the parent process the port and that we are ready.
    process.send?.({ ready: address });
  } catch (error) {
    process.stderr.write(`${failureOf(name, portVariable, error)}\n`);
    process.exit(1);
  }
}

function failureOf(name: string, portVariable: string, error: unknown): string {
  if (error instanceof EnvironmentError) return error.message;
  const { code, port } = error as { code?: string; port?: number };
  if (code === 'EADDRINUSE')
    return `The ${name} could not start: port ${port} is in use. Choose another one with ${portVariable}.`;
  return `The ${name} could not start: ${error instanceof Error ? error.stack : String(error)}`;
}
