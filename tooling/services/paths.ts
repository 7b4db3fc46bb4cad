import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Maven coordinates of the registry that we run; the newest that still runs on Java 17. */
export const REGISTRY_ARTIFACT = 'io.apicurio:apicurio-registry-app:3.0.9:tar.gz:all';

/** Module and version of Stripe's stand-in; its description is of the API version that our client pins. */
export const STRIPE_MOCK_MODULE = 'github.com/stripe/stripe-mock@v0.203.0';

export const KAFKA_POM = fileURLToPath(new URL('./maven/pom.xml', import.meta.url));
/** Maven coordinates of the Java client generator, a self-contained archive. */
export const JAVA_GENERATOR_ARTIFACT = 'org.openapitools:openapi-generator-cli:7.25.0';

export const JAVA_CLIENT_POM = fileURLToPath(new URL('./clients/pom.xml', import.meta.url));
export const PYTHON_CLIENT_REQUIREMENTS = fileURLToPath(new URL('./clients/requirements.txt', import.meta.url));
export const FUZZ_REQUIREMENTS = fileURLToPath(new URL('./fuzz/requirements.txt', import.meta.url));
export const PLATFORM_REQUIREMENTS = fileURLToPath(new URL('./platform/requirements.txt', import.meta.url));
export const PLATFORM_PROGRAM = fileURLToPath(new URL('./platform/event_bus.py', import.meta.url));

/** Outside the checkout: `npm ci` empties `node_modules`, and several checkouts can share what was installed once. */
const root = (): string =>
  process.env.SERVICES_DIR ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'enterprise-access', 'services');

const digest = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** Folders of `services:install`. Their names depend on the versions, so an outdated one is never used. */
export const folders = {
  kafka: () => join(root(), `kafka-${digest(readFileSync(KAFKA_POM))}`),
  registry: () => join(root(), `registry-${digest(REGISTRY_ARTIFACT)}`),
  pythonClient: () => join(root(), `python-client-${digest(readFileSync(PYTHON_CLIENT_REQUIREMENTS))}`),
  javaClient: () =>
    join(root(), `java-client-${digest(JAVA_GENERATOR_ARTIFACT + readFileSync(JAVA_CLIENT_POM, 'utf8'))}`),
  fuzz: () => join(root(), `fuzz-${digest(readFileSync(FUZZ_REQUIREMENTS))}`),
  stripeMock: () => join(root(), `stripe-mock-${digest(STRIPE_MOCK_MODULE)}`),
  platform: () => join(root(), `platform-${digest(readFileSync(PLATFORM_REQUIREMENTS))}`),
};

/** The path of an installed program, or null. */
export const findProgram = (name: string): string | null =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path)) ?? null;

/** The path of a program that must be there. */
export function program(name: string): string {
  const path = findProgram(name);
  if (path === null) throw new Error(`${name} is not installed.`);
  return path;
}
