import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafkaMissing, registryMissing, startKafka, startRegistry } from '@enterprise-access/services';

export interface BusServers {
  readonly brokers: string;
  readonly registryUrl: string;
  stop(): Promise<void>;
}

/** Kafka and a schema registry for a benchmark, or why there is none. */
export async function startBusServers(): Promise<BusServers | { readonly missing: string }> {
  const missing = kafkaMissing() ?? registryMissing();
  if (missing !== null) return { missing };
  const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-bench-'));
  const [kafka, registry] = await Promise.all([
    startKafka({ dataDir: join(folder, 'kafka'), durable: false }),
    startRegistry({ logFile: join(folder, 'registry.log') }),
  ]);
  return {
    brokers: kafka.brokers,
    registryUrl: registry.url,
    async stop() {
      await Promise.all([kafka.stop(), registry.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
