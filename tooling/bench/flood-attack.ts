import { once } from 'node:events';
import { connect } from 'node:net';
import { demonstration } from '@enterprise-access/start/demonstration';

/** The anonymous side of the flood, in a process of its own, until it is killed. */
const [serverUrl = ''] = process.argv.slice(2);
const POSTERS = 6;
const UNFINISHED = 250;
const BODY_BYTES = 7_800_000;

const REDEEM = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
const TARGETS = [REDEEM, '/trpc/redemptions.redeem', '/trpc/redemptions.redeem,redemptions.redeem?batch=1'];
const targetOf = (index: number): string => TARGETS[index % TARGETS.length] ?? REDEEM;

const body = Buffer.from(`[${'[],'.repeat(BODY_BYTES / 3)}[]]`);
const head = (host: string, path: string) =>
  `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;

/** Posts whole bodies one after the other, as fast as they are taken. */
async function post({ hostname, port, host }: URL, path: string): Promise<void> {
  while (true) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined).on('data', () => socket.destroy());
    socket.write(head(host, path));
    socket.write(body);
    await once(socket, 'close');
  }
}

/** Keeps connections open on which a body begins and does not end; each is opened again when the server ends it. */
function holdUnfinished({ hostname, port, host }: URL): void {
  const open = (index: number) => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined).resume();
    socket.on('close', () => {
      setTimeout(open, 100, index);
    });
    socket.write(head(host, targetOf(index)));
    socket.write(body.subarray(0, body.length - 1));
  };
  for (let index = 0; index < UNFINISHED; index += 1) open(index);
}

const server = new URL(serverUrl);
holdUnfinished(server);
process.send?.('begun');
await Promise.all(Array.from({ length: POSTERS }, (_, index) => post(server, targetOf(index))));
