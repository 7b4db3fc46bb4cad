export { clientTools, fuzzMissing, fuzzPrograms, javaClientMissing, pythonClientMissing } from './clients.ts';
export { kafkaMissing, type RunningKafka, startKafka } from './kafka.ts';
export { memcachedMissing, type RunningMemcached, startMemcached } from './memcached.ts';
export { type PlatformCommand, platformMissing, runPlatform } from './platform.ts';
export { isListening } from './ports.ts';
export { type Proxy, startProxy } from './proxy.ts';
export { type RunningRegistry, registryMissing, startRegistry } from './registry.ts';
