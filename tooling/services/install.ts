import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '@enterprise-access/db/servers';
import {
  FUZZ_REQUIREMENTS,
  folders,
  JAVA_CLIENT_POM,
  JAVA_GENERATOR_ARTIFACT,
  KAFKA_POM,
  PLATFORM_REQUIREMENTS,
  PYTHON_CLIENT_REQUIREMENTS,
  program,
  REGISTRY_ARTIFACT,
  STRIPE_MOCK_MODULE,
} from './paths.ts';

const MAVEN = ['--batch-mode', '--quiet', '-Dstyle.color=never'];
const plugin = (version: string) => `org.apache.maven.plugins:maven-dependency-plugin:${version}`;

interface Installation {
  readonly name: string;
  readonly folder: string;
  /** A failure is told and does not end the installation of the others. */
  readonly isOptional?: boolean;
  install(into: string): Promise<void>;
}

/** A virtual environment contains its own path, so it is created in place; the last step marks it as complete. */
const virtualEnvironment = (name: string, home: string, requirements: string): Installation => ({
  name,
  folder: join(home, 'installed'),
  async install(into) {
    await rm(home, { recursive: true, force: true });
    await run({ program: program('python3'), args: ['-m', 'venv', home] });
    await run({
      program: join(home, 'bin', 'pip'),
      args: ['install', '--quiet', '--disable-pip-version-check', '-r', requirements],
    });
    await mkdir(into, { recursive: true });
  },
});

const installations: readonly Installation[] = [
  {
    name: 'Kafka',
    folder: folders.kafka(),
    install: (into) =>
      run({
        program: program('mvn'),
        args: [...MAVEN, '-f', KAFKA_POM, `${plugin('3.8.1')}:copy-dependencies`, `-DoutputDirectory=${into}`],
      }),
  },
  {
    name: 'Schema registry',
    folder: folders.registry(),
    async install(into) {
      await run({
        program: program('mvn'),
        args: [
          ...MAVEN,
          // Newer versions read the artifact's parent POM, which is not published; this version copies only the
          // archive.
          `${plugin('2.8')}:copy`,
          `-Dartifact=${REGISTRY_ARTIFACT}`,
          `-DoutputDirectory=${into}`,
        ],
      });
      const [archive] = (await readdir(into)).map((name) => join(into, name));
      if (archive === undefined) throw new Error('Maven brought no archive.');
      await run({ program: program('tar'), args: ['-xzf', archive, '-C', into] });
      await rm(archive);
    },
  },
  {
    name: 'Generator of Java clients, and what they use',
    folder: folders.javaClient(),
    async install(into) {
      const generator = [
        '-Dmdep.stripVersion=true',
        `-Dartifact=${JAVA_GENERATOR_ARTIFACT}`,
        `-DoutputDirectory=${into}`,
      ];
      await run({ program: program('mvn'), args: [...MAVEN, `${plugin('2.8')}:copy`, ...generator] });
      const libraries = [`${plugin('3.8.1')}:copy-dependencies`, `-DoutputDirectory=${join(into, 'libraries')}`];
      await run({ program: program('mvn'), args: [...MAVEN, '-f', JAVA_CLIENT_POM, ...libraries] });
    },
  },
  {
    name: 'stripe-mock',
    // Go and its modules are not everywhere; without them only the tests against this stand-in are left out.
    isOptional: true,
    folder: folders.stripeMock(),
    install: (into) =>
      run({ program: program('env'), args: [`GOBIN=${into}`, program('go'), 'install', STRIPE_MOCK_MODULE] }),
  },
  virtualEnvironment('Generator of Python clients', folders.pythonClient(), PYTHON_CLIENT_REQUIREMENTS),
  virtualEnvironment('Generator of requests', folders.fuzz(), FUZZ_REQUIREMENTS),
  virtualEnvironment("The platform's event bus in Python", folders.platform(), PLATFORM_REQUIREMENTS),
];

/** Installs missing programs from the configured Maven and Python registries and the Go module proxy. */
for (const { name, folder, install, isOptional = false } of installations) {
  if (existsSync(folder)) {
    process.stdout.write(`${name}: is there\n`);
    continue;
  }
  const started = Date.now();
  await mkdir(dirname(folder), { recursive: true });
  const into = await mkdtemp(`${folder}.`);
  try {
    await install(into);
    // Rename at the end, so that an interrupted run leaves nothing that looks complete.
    await rename(into, folder);
  } catch (error) {
    if (!isOptional) throw error;
    process.stdout.write(`${name}: cannot be installed here\n`);
    continue;
  } finally {
    await rm(into, { recursive: true, force: true });
  }
  process.stdout.write(`${name}: installed in ${Math.round((Date.now() - started) / 1000)} s\n`);
}
