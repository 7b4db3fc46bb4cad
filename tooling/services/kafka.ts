import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { freePort, run, supervised } from '@enterprise-access/db/servers';
import { findProgram, folders, program } from './paths.ts';
import { isListening, portFor } from './ports.ts';

export interface KafkaOptions {
  /** Data folder; created if missing, kept after a stop. */
  readonly dataDir: string;
  readonly port?: number;
  /** Advertised port, if there is a proxy in front of the broker. */
  readonly advertisedPort?: number;
  /** False kills the broker at stop instead of a clean shutdown, for tests. */
  readonly durable?: boolean;
}

export interface RunningKafka {
  readonly port: number;
  /** `host:port`, as `KAFKA_BROKERS` has it. */
  readonly brokers: string;
  stop(): Promise<void>;
}

/** Why Kafka cannot be started here, or null when it can. */
export function kafkaMissing(): string | null {
  if (findProgram('java') === null) return 'java is not installed';
  return existsSync(folders.kafka()) ? null : 'Kafka is not installed (npm run services:install)';
}

const JVM = ['-Xms64m', '-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const LOGGING = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.showDateTime=true'];

/** Starts a broker that is its own controller, on the loopback interface, with its own data folder. */
export async function startKafka(options: KafkaOptions): Promise<RunningKafka> {
  const missing = kafkaMissing();
  if (missing !== null) throw new Error(`${missing}.`);
  const dataDir = resolve(options.dataDir);
  const port = await portFor(options);
  const controllerPort = await freePort();
  const settings = `${dataDir}.properties`;
  const java = { program: program('java'), classPath: ['-cp', join(folders.kafka(), '*')] };
  await mkdir(dataDir, { recursive: true });
  await writeFile(settings, properties({ dataDir, port, controllerPort, advertisedPort: options.advertisedPort }));
  if (!existsSync(join(dataDir, 'meta.properties'))) {
    const clusterId = randomBytes(16).toString('base64url').replace(/^-/, 'A');
    await run({
      program: java.program,
      args: [
        ...JVM,
        ...LOGGING,
        ...java.classPath,
        'kafka.tools.StorageTool',
        'format',
        '-t',
        clusterId,
        '-c',
        settings,
      ],
    });
  }
  const server = supervised(
    { program: java.program, args: [...JVM, ...LOGGING, ...java.classPath, 'kafka.Kafka', settings] },
    { logFile: `${dataDir}.log`, stopSignal: options.durable === false ? 'SIGKILL' : 'SIGTERM' },
  );
  // The broker opens its port when it is ready to serve.
  await server.ready(() => isListening(port), 60_000);
  return { port, brokers: `127.0.0.1:${options.advertisedPort ?? port}`, stop: server.stop };
}

const properties = (options: {
  dataDir: string;
  port: number;
  controllerPort: number;
  advertisedPort: number | undefined;
}): string =>
  Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${options.controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${options.port},CONTROLLER://127.0.0.1:${options.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${options.advertisedPort ?? options.port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': options.dataDir,
    'auto.create.topics.enable': true,
    'num.partitions': 3,
    // Single node: internal topics have one replica and few segments; groups start without an initial delay.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    'log.cleaner.enable': false,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
