/** What `npm run check:libraries` allows, each with its reason. Entries that nothing needs fail the check. */

export type Reasons = Readonly<Record<string, string>>;

/** Licences that every dependency may have. */
export const LICENCES = [
  'MIT',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'ISC',
  'MPL-2.0',
  '0BSD',
  'BlueOak-1.0.0',
] as const;

/** Packages under other licences. */
export const otherLicences: Reasons = {
  isbot: 'Unlicense: public domain, no conditions. Comes with the dashboard of the queues.',
};

/** Direct dependencies without types. */
export const untyped: Reasons = {
  '@20minutes/s3rver': 'Used by one test, which says what it needs.',
  '@biomejs/biome': 'A program; nothing imports it.',
  '@redocly/cli': 'A program; nothing imports it.',
  typescript: 'A program; nothing imports it.',
};

/**
 * Direct dependencies whose newest stable release is older than 24 months. Mirrors may report later dates than the public
 * registry, so an entry that one registry does not need is not reported.
 */
export const old: Reasons = {
  '@balena/dockerignore': 'Complete: the rules of .dockerignore do not change. Used by tests.',
  'ajv-formats': 'The formats of JSON Schema do not change. Used by tests.',
  'cli-progress': 'The progress bar of the demonstration; small and complete.',
  kafkajs: 'Behind packages/bus, see `shields`.',
  memjs: 'Behind one file, see `shields`; there is no maintained client with the same protocol.',
  objection: 'Behind `defineModel`, see `shields`; only plain queries are used.',
  'prom-client': 'The text format of Prometheus does not change.',
};

/** Direct dependencies that stay behind on purpose. */
export const held: Reasons = {
  '@types/node': 'Follows the version of Node.',
  node: 'The long-term support release; the image has the same.',
  stripe:
    'Version 22 pins the API version that stripe-mock describes and old front ends were measured with; 23 renames parameters of Checkout.',
  typescript: 'Older releases are there to check the types of the SDK with them.',
};

/** Libraries that may have to be replaced: production code imports each of them in these files only. */
export const shields: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-s3': ['packages/domain/src/upstreams/s3-files.ts'],
  '@aws-sdk/lib-storage': ['packages/domain/src/upstreams/s3-files.ts'],
  '@aws-sdk/s3-request-presigner': ['packages/domain/src/upstreams/s3-files.ts'],
  cockatiel: ['packages/domain/src/upstreams/resilience.ts'],
  kafkajs: [
    'packages/bus/src/kafka/client.ts',
    'packages/bus/src/kafka/publisher.ts',
    'packages/bus/src/kafka/rewind.ts',
    'packages/bus/src/kafka/subscription.ts',
  ],
  memjs: ['packages/domain/src/kernel/cache/memcached.ts'],
  objection: ['packages/db/src/model.ts'],
  undici: ['packages/bus/src/registry.ts', 'packages/domain/src/upstreams/transport.ts'],
};
