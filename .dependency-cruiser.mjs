// The fence between the parts of this repository; `npm run lint` checks it.
const slices = '^packages/domain/src/(?!kernel/|upstreams/)([a-z-]+)/';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-cycles-between-slices',
      comment: 'Slices build on each other in one direction; what reconciles several of them stands above them.',
      severity: 'error',
      scope: 'folder',
      from: { path: '^packages/domain/src/[a-z-]+$' },
      to: { circular: true },
    },
    {
      name: 'slices-through-their-index',
      comment: 'Another slice is seen through its index, its contracts, its rules and its permissions.',
      severity: 'error',
      from: { path: slices, pathNot: '\\.test\\.ts$' },
      to: {
        path: slices,
        pathNot: ['^packages/domain/src/$1/', '/(index|rules|permissions|[a-z-]*contract)\\.ts$'],
      },
    },
    {
      name: 'kernel-imports-nothing-above-it',
      comment: 'The kernel knows no slice and no adapter of an upstream service.',
      severity: 'error',
      from: { path: '^packages/domain/src/kernel/', pathNot: '\\.test\\.ts$' },
      to: { path: '^packages/domain/src/(?!kernel/)' },
    },
    {
      name: 'contracts-are-data',
      comment:
        'A contract imports zod, the kernel’s declarations, permissions and other contracts; nothing that runs on a server.',
      severity: 'error',
      from: { path: '^packages/domain/src/(?!kernel/)[a-z/-]+contract\\.ts$' },
      to: {
        path: '^packages/',
        pathNot: ['^packages/domain/src/kernel/', '/[a-z-]*contract\\.ts$', '/(permissions|errors|rules)\\.ts$'],
      },
    },
    {
      name: 'rules-are-pure',
      comment: 'Rules see types and other rules: no clock, database, log or network.',
      severity: 'error',
      from: { path: '/rules\\.ts$' },
      to: {
        dependencyTypesNot: ['type-only'],
        pathNot: [
          '/rules\\.ts$',
          '/(money|ids|instant|email)\\.ts$',
          '/[a-z-]*contract\\.ts$',
          '/kernel/ports/',
          'node_modules',
        ],
      },
    },
    {
      name: 'domain-through-its-index',
      comment: 'Apps and packages import the domain by its name; tests may look inside.',
      severity: 'error',
      from: {
        path: '^(apps|packages|tooling)/',
        pathNot: ['^packages/domain/', '\\.test\\.ts$', '/test/', '^tooling/bench/'],
      },
      to: { path: '^packages/domain/src/', pathNot: '^packages/domain/src/(index|testing|demonstration)\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['/node_modules/', '/dist/', '/generated/', '\\.test\\.ts$', 'testing\\.ts$'] },
    tsPreCompilationDeps: true,
    preserveSymlinks: false,
    enhancedResolveOptions: {
      extensions: ['.ts', '.mts', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'default'],
    },
    moduleSystems: ['es6'],
    // TypeScript 7 has no API yet that dependency-cruiser could use.
    parser: 'swc',
  },
};
