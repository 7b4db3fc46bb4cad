import { EnvironmentError } from './environment.ts';

/** How long a process may take to end what it has begun, in milliseconds; as long as orchestrators wait. */
const DRAIN_MS = 30_000;

/** A process that does its work. */
export interface Running {
  /** Where it listens. */
  readonly address: string;
  /** Takes nothing new, ends what was begun, and lets go of everything. */
  stop(): Promise<void>;
}

interface Note {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * The life of one of our processes: it starts, tells whoever started it that it is ready, and stops once, in order, when
 * it is told to or when the process that started it is gone. A start that fails says why, without a stack where the
 * operator is the one to act; of a port that is taken, in which variable another one is given.
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
      // Whoever hangs is not waited for longer than an orchestrator would.
      setTimeout(() => process.exit(1), DRAIN_MS).unref();
      try {
        await stop();
      } catch (error) {
        log.error({ err: error }, 'something could not be ended in order');
        process.exit(1);
      }
      log.info({}, 'stopped');
      process.exit(0);
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stopOnce(signal));
    process.on('disconnect', () => void stopOnce('parent is gone'));
    log.info({ address }, 'ready');
    // A parent that started us learns the port and that we are ready.
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
