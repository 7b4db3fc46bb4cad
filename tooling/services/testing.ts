import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzzMissing, javaClientMissing, pythonClientMissing } from './clients.ts';
import { kafkaMissing, startKafka } from './kafka.ts';
import { memcachedMissing, startMemcached } from './memcached.ts';
import { platformMissing } from './platform.ts';
import { registryMissing, startRegistry } from './registry.ts';
import { startStripeMock, stripeMockMissing } from './stripe-mock.ts';

export type ServiceName =
  | 'kafka'
  | 'registry'
  | 'memcached'
  | 'stripeMock'
  | 'platform'
  | 'pythonClient'
  | 'javaClient'
  | 'fuzz';

/** Data that test files get about the services. */
export interface TestServices {
  /** URL to request a service; the first request starts it. */
  readonly url: string;
  /** Why a service is not available; null if it is. */
  readonly missing: Readonly<Record<ServiceName, string | null>>;
}

/** Address of a service, once it serves: brokers, registry URL or memcached servers. */
export async function useService(services: TestServices, name: ServiceName): Promise<string> {
  const reply = await fetch(`${services.url}/${name}`);
  const text = await reply.text();
  if (!reply.ok) throw new Error(text);
  return text;
}

interface Started {
  readonly address: string;
  stop(): Promise<void>;
}

interface Service {
  /** Environment variable that names a running one. */
  readonly variable?: string;
  readonly missing: () => string | null;
  readonly start: (folder: string) => Promise<Started>;
}

const nothingToStop = async () => undefined;

/** A program that tests run, not a server; requesting it records that it was tested. */
const program = (missing: () => string | null): Service => ({
  missing,
  start: async () => ({ address: '', stop: nothingToStop }),
});

const SERVICES: Readonly<Record<ServiceName, Service>> = {
  kafka: {
    variable: 'TEST_KAFKA_BROKERS',
    missing: kafkaMissing,
    async start(folder) {
      const kafka = await startKafka({ dataDir: join(folder, 'kafka'), durable: false });
      return { address: kafka.brokers, stop: kafka.stop };
    },
  },
  registry: {
    variable: 'TEST_SCHEMA_REGISTRY_URL',
    missing: registryMissing,
    async start(folder) {
      const registry = await startRegistry({ logFile: join(folder, 'registry.log') });
      return { address: registry.url, stop: registry.stop };
    },
  },
  memcached: {
    variable: 'TEST_MEMCACHED_SERVERS',
    missing: memcachedMissing,
    async start(folder) {
      const memcached = await startMemcached({ logFile: join(folder, 'memcached.log') });
      return { address: memcached.servers, stop: memcached.stop };
    },
  },
  stripeMock: {
    variable: 'TEST_STRIPE_MOCK_URL',
    missing: stripeMockMissing,
    async start(folder) {
      const mock = await startStripeMock({ logFile: join(folder, 'stripe-mock.log') });
      return { address: mock.url, stop: mock.stop };
    },
  },
  platform: program(platformMissing),
  pythonClient: program(pythonClientMissing),
  javaClient: program(javaClientMissing),
  fuzz: program(fuzzMissing),
};

const NAMES = Object.keys(SERVICES) as ServiceName[];
const given = (name: ServiceName): string | undefined => process.env[SERVICES[name].variable ?? ''] || undefined;

export interface ServicesOfARun {
  readonly services: TestServices;
  /** One line per service, and whether one is missing. */
  report(): { lines: string[]; isOneMissing: boolean };
  stop(): Promise<void>;
}

/**
 * Provides services to the test files of a run and starts each on its first request, so that a run of one file does
 * not wait for services it does not need.
 */
export async function offerServices(): Promise<ServicesOfARun> {
  const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-services-'));
  const asked = new Map<ServiceName, Promise<Started>>();
  const missing = Object.fromEntries(
    NAMES.map((name) => [name, given(name) === undefined ? SERVICES[name].missing() : null]),
  ) as Record<ServiceName, string | null>;
  const start = (name: ServiceName): Promise<Started> => {
    const address = given(name);
    const started =
      asked.get(name) ??
      (address === undefined ? SERVICES[name].start(folder) : Promise.resolve({ address, stop: nothingToStop }));
    asked.set(name, started);
    return started;
  };
  const server = createServer((request, response) => {
    const name = NAMES.find((known) => request.url === `/${known}`);
    if (name === undefined) {
      response.writeHead(404).end(`There is no service ${request.url}.`);
      return;
    }
    start(name).then(
      ({ address }) => response.end(address),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('No address.');
  return {
    services: { url: `http://127.0.0.1:${address.port}`, missing },
    report: () => ({
      lines: NAMES.map((name) => {
        if (missing[name] !== null) return `${name}: skipped, ${missing[name]}`;
        return asked.has(name) ? `${name}: tested` : `${name}: not asked for by these tests`;
      }),
      // Go, which builds stripe-mock, is not everywhere; the report still says that its tests were left out.
      isOneMissing: NAMES.some((name) => name !== 'stripeMock' && missing[name] !== null),
    }),
    async stop() {
      server.close();
      server.closeAllConnections();
      const started = await Promise.allSettled(asked.values());
      await Promise.all(started.map((result) => (result.status === 'fulfilled' ? result.value.stop() : undefined)));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
