import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

export interface ConnectionOptions {
  readonly maximum: number;
  /** Connections per client IP; null behind a proxy, where all connections have the proxy's address. */
  readonly maximumPerAddress: number | null;
}

/**
 * Limit for request line and headers together, in bytes. The longest GET, with two hundred course runs and a token,
 * fits.
 */
export const MAXIMUM_HEADER_BYTES = 64 * 1024;

/** How long to drain the rest of a refused body before its connection is closed. */
const DRAIN_MS = 2_000;
/** Drain all refused bodies together at 10 MB/s at most, so that a flood of them does not keep the process busy. */
const DRAIN_TICK_MS = 50;
const DRAIN_BYTES_PER_TICK = 500_000;

const SENTENCES: Readonly<Record<number, string>> = {
  400: 'The request is not valid HTTP.',
  408: 'The request did not arrive in time.',
  431: 'The address or the headers are too long. Send long filters as the body of a tRPC query.',
};

const statusOf = (code: string | undefined): number => {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
};

/** Answers requests that the HTTP parser rejects, in the format of other errors, and then closes the connection. */
export function answerClientError(error: { readonly code?: string | undefined }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = statusOf(error.code);
  const body = JSON.stringify({ detail: SENTENCES[status] });
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
  // Keep reading: closing with unread data would reset the connection before the client reads the reply.
  socket.resume();
  setTimeout(() => socket.destroy(), DRAIN_MS).unref();
}

/** Refused bodies that are read at the same time. Each read takes up to 64 KB of memory before it can be paused. */
const DRAINED_AT_ONCE = 8;
/** From this many refused bodies on it is a flood, and further refusals are sent late. */
const FLOOD_SIZE = 16;
/** Posting again and again then costs one request per second and connection. */
const FLOOD_DELAY_MS = 1_000;

/** Drains refused bodies for a moment, so that clients receive the reply. */
function drains() {
  const waiting = new Map<IncomingMessage, number>();
  let reading: IncomingMessage[] = [];
  let allowance = DRAIN_BYTES_PER_TICK;
  let timer: NodeJS.Timeout | null = null;

  const pause = () => {
    for (const each of reading) each.pause();
    reading = [];
  };
  const read = (request: IncomingMessage) => {
    reading.push(request);
    request.resume();
  };
  const end = (request: IncomingMessage) => {
    waiting.delete(request);
    if (waiting.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
    reading = [];
    allowance = DRAIN_BYTES_PER_TICK;
  };
  const tick = () => {
    pause();
    allowance = DRAIN_BYTES_PER_TICK;
    const now = performance.now();
    for (const [request, deadline] of waiting) if (now > deadline) request.socket.destroy();
    for (const [request, deadline] of [...waiting].slice(0, DRAINED_AT_ONCE)) {
      // The next ones have their turn in the next tick.
      waiting.delete(request);
      waiting.set(request, deadline);
      read(request);
    }
  };
  return {
    isFlooded: (): boolean => waiting.size >= FLOOD_SIZE,
    /** Call before the reply is complete: afterwards Node reads the rest as fast as the client sends. */
    hold(request: IncomingMessage): void {
      request.on('data', (chunk: Buffer) => {
        allowance -= chunk.length;
        if (allowance <= 0) pause();
      });
      request.pause();
    },
    start(request: IncomingMessage): void {
      waiting.set(request, performance.now() + DRAIN_MS);
      const { socket } = request;
      const ended = () => {
        // Keep-alive: remove the listener, because the connection can serve many more requests.
        socket.off('close', ended);
        end(request);
      };
      request.once('close', ended).once('end', ended);
      socket.once('close', ended);
      timer ??= setInterval(tick, DRAIN_TICK_MS).unref();
      if (reading.length < DRAINED_AT_ONCE && allowance > 0) read(request);
    },
  };
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Limits connections, and delivers replies to requests whose body was refused. */
export const connections = fp<ConnectionOptions>(async (app: FastifyInstance, options) => {
  const { server } = app;
  server.maxConnections = options.maximum;
  const perAddress = options.maximumPerAddress;
  const byAddress = new Map<string, number>();
  const unused = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (byAddress.get(address) ?? 0) + 1;
    if (perAddress !== null && count > perAddress) {
      socket.destroy();
      return;
    }
    byAddress.set(address, count);
    unused.add(socket);
    socket.once('close', () => {
      unused.delete(socket);
      const left = (byAddress.get(address) ?? 1) - 1;
      if (left > 0) byAddress.set(address, left);
      else byAddress.delete(address);
    });
  });
  server.on('request', ({ socket }: IncomingMessage) => {
    unused.delete(socket);
  });
  // On close, Node ends idle connections, but waits for connections without a request and no longer applies timeouts
  // to them.
  app.addHook('preClose', async () => {
    for (const socket of unused) socket.destroy();
  });
  const { hold, start, isFlooded } = drains();
  app.addHook('onSend', ({ raw }, reply, payload, done) => {
    if (raw.complete === false && hasBody(raw)) {
      // Closing immediately would reset the connection while the client still writes; it is closed below.
      reply.removeHeader('connection');
      hold(raw);
      if (isFlooded()) {
        setTimeout(done, FLOOD_DELAY_MS, null, payload).unref();
        return;
      }
    }
    done(null, payload);
  });
  app.addHook('onResponse', ({ raw }, _reply, done) => {
    if (raw.complete === false && hasBody(raw)) start(raw);
    done();
  });
});
