import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

export interface ConnectionOptions {
  readonly maximum: number;
  /** Largest part of them that one address may hold; null when every connection comes from a proxy. */
  readonly maximumPerAddress: number | null;
}

/**
 * Longest request line and headers together, in bytes. The longest list of a GET, two hundred course runs, fits beside
 * a token.
 */
export const MAXIMUM_HEADER_BYTES = 64 * 1024;

/** How long, and for how many bytes, the rest of a body is read that is refused, so that its sender sees the reply. */
const DRAIN_MS = 2_000;
const DRAIN_BYTES = 16_000_000;
const DRAIN_CHECK_MS = 100;

const SENTENCES: Readonly<Record<number, string>> = {
  400: 'The request is not valid HTTP.',
  408: 'The request did not arrive in time.',
  431: 'The address or the headers are too long. Send long filters as the body of a tRPC query.',
};

const statusOf = (code: string | undefined): number => {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
};

/** Answers what the parser refuses, in the form of other refusals, and closes the connection after the reply is sent. */
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
  // Without a pause the rest of the request would reset the connection before the reply is read.
  socket.resume();
  setTimeout(() => socket.destroy(), DRAIN_MS).unref();
}

/** Reads on for a moment after a reply that came before the end of the body; then the connection ends. */
function drain(socket: Socket, isComplete: () => boolean): void {
  const deadline = performance.now() + DRAIN_MS;
  const limit = socket.bytesRead + DRAIN_BYTES;
  const timer = setInterval(() => {
    const isOver = performance.now() > deadline || socket.bytesRead > limit;
    if (isOver) socket.destroy();
    if (isOver || isComplete() || socket.destroyed) clearInterval(timer);
  }, DRAIN_CHECK_MS).unref();
}

/** Bounds on connections, and replies that arrive although the body of their request was not read. */
export const connections = fp<ConnectionOptions>(async (app: FastifyInstance, options) => {
  const { server } = app;
  server.maxConnections = options.maximum;
  const perAddress = options.maximumPerAddress;
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress;
    if (perAddress === null || address === undefined) return;
    const count = (open.get(address) ?? 0) + 1;
    if (count > perAddress) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
  app.addHook('onSend', ({ raw }, reply, payload, done) => {
    // Closing at once would reset the connection while the client still writes; it is closed below.
    if (raw.complete === false) reply.removeHeader('connection');
    done(null, payload);
  });
  app.addHook('onResponse', (request, _reply, done) => {
    const { raw } = request;
    if (raw.complete === false) drain(raw.socket, () => raw.complete);
    done();
  });
});
