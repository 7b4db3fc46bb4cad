import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { exampleInput, type Method, methodOf, sdkFiles } from '@enterprise-access/contracts/sdk';
import { models, type Operation, operations, type StreamOperation, streams } from '@enterprise-access/domain';
import { alternate, median, type Row, type Settings } from './measure.ts';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const compiler = join(root, 'tooling/typescript-5.9/node_modules/typescript/bin/tsc');
const TIMES = 10;

interface Cost {
  readonly instantiations: number;
  readonly checkSeconds: number;
}

const inputOf = (method: Method): string => exampleInput(method) || '{}';

/** A file that calls every operation through the SDK. */
function sdkCalls(methods: readonly Method[], from: string): string {
  const calls = methods.map((method) => {
    const call = `access.${method.id}(${inputOf(method)})`;
    return method.kind === 'stream'
      ? `for await (const each of ${call}) console.log(each.state);`
      : `console.log(await ${call});`;
  });
  return `import { EnterpriseAccess } from '${from}';
const access = new EnterpriseAccess({ baseUrl: 'http://127.0.0.1' });
${calls.join('\n')}\n`;
}

/** The same file through the router's type. */
function routerCalls(methods: readonly Method[]): string {
  const calls = methods.map((method) => {
    const verb = method.contract.kind === 'mutation' ? 'mutate' : 'query';
    return method.kind === 'stream'
      ? `client.${method.id}.subscribe(${inputOf(method)}, { onData: (each) => console.log(each.data.state) });`
      : `console.log(await client.${method.id}.${verb}(${inputOf(method)}));`;
  });
  return `import type { AppRouter } from '@enterprise-access/domain';
import { createTRPCClient, httpLink } from '@trpc/client';
import superjson from 'superjson';
const client = createTRPCClient<AppRouter>({ links: [httpLink({ url: 'http://127.0.0.1', transformer: superjson })] });
${calls.join('\n')}\n`;
}

/** Compiler cost of a program. */
async function costOf(folder: string, name: string): Promise<Cost> {
  const config = join(folder, `${name}.json`);
  await writeFile(
    config,
    JSON.stringify({
      extends: join(root, 'tsconfig.base.json'),
      compilerOptions: { noUnusedLocals: false },
      files: [`${name}.ts`],
    }),
  );
  const { stdout } = await execute(process.execPath, [compiler, '-p', config, '--extendedDiagnostics']).catch(
    (error) => {
      throw new Error(`${name} does not compile:\n${error.stdout}`);
    },
  );
  const number = (label: string) => Number(new RegExp(`${label}:\\s+([\\d.]+)`).exec(stdout)?.[1]);
  return { instantiations: number('Instantiations'), checkSeconds: number('Check time') };
}

const copies = <O extends Operation | StreamOperation>(all: readonly O[]): O[] =>
  Array.from({ length: TIMES }, (_, copy) =>
    all.map((operation) => {
      const domain = `${operation.domain}${copy}`;
      return { ...operation, domain, id: operation.id.replace(operation.domain, domain) };
    }),
  ).flat();

/** The SDK as the generator would make it for these operations. */
async function writeSdk(folder: string, name: string, source: { operations: Operation[]; streams: StreamOperation[] }) {
  const target = join(folder, name);
  await cp(join(root, 'packages/sdk/src'), target, { recursive: true });
  await rm(join(target, 'generated'), { recursive: true });
  await mkdir(join(target, 'generated'));
  for (const { path, text } of sdkFiles({ ...source, models }).code)
    await writeFile(join(target, 'generated', path), text);
  const methods = [...source.operations, ...source.streams].map(methodOf);
  await writeFile(join(folder, `calls-${name}.ts`), sdkCalls(methods, `./${name}/generated/client.ts`));
  return methods.length;
}

/**
 * What a file that calls every operation costs TypeScript 5.9: through the SDK against the same file through
 * `AppRouter`, and with ten times as many operations against as many as there are.
 */
export async function types({ rounds }: Settings): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-types-'));
  try {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    const methods = [...operations, ...streams].map(methodOf);
    await writeFile(join(folder, 'sdk.ts'), sdkCalls(methods, '@enterprise-access/sdk'));
    await writeFile(join(folder, 'router.ts'), routerCalls(methods));
    await writeFile(join(folder, 'router-idle.ts'), routerCalls([]));
    await writeFile(join(folder, 'sdk-idle.ts'), sdkCalls([], '@enterprise-access/sdk'));
    const [sdk = [], router = []] = await alternate(rounds, [
      () => costOf(folder, 'sdk'),
      () => costOf(folder, 'router'),
    ]);
    const [ours, theirs] = [sdk, router].map((costs) => ({
      instantiations: median(costs.map(({ instantiations }) => instantiations)),
      checkSeconds: median(costs.map(({ checkSeconds }) => checkSeconds)),
    })) as [Cost, Cost];
    const idle = { sdk: await costOf(folder, 'sdk-idle'), router: await costOf(folder, 'router-idle') };
    const once = await writeSdk(folder, 'once', { operations: [...operations], streams: [...streams] });
    const often = await writeSdk(folder, 'often', { operations: copies(operations), streams: copies(streams) });
    const perOne = (await costOf(folder, 'calls-once')).instantiations / once;
    const perMany = (await costOf(folder, 'calls-often')).instantiations / often;
    const calls = {
      sdk: ours.instantiations - idle.sdk.instantiations,
      router: theirs.instantiations - idle.router.instantiations,
    };
    return [
      {
        name: `types: ${once} operations, instantiations, vs AppRouter`,
        ours: String(ours.instantiations),
        reference: String(theirs.instantiations),
        ratio: ours.instantiations / theirs.instantiations,
        bar: { at: 'most', value: 0.05 },
      },
      {
        name: `types: ${once} operations, check time, vs AppRouter`,
        ours: `${ours.checkSeconds.toFixed(2)} s`,
        reference: `${theirs.checkSeconds.toFixed(2)} s`,
        ratio: ours.checkSeconds / theirs.checkSeconds,
        bar: { at: 'most', value: 0.3 },
      },
      {
        name: `types: ${once} operations, instantiations of the calls alone, vs AppRouter`,
        ours: String(calls.sdk),
        reference: String(calls.router),
        ratio: calls.sdk / calls.router,
        bar: null,
      },
      {
        name: `types: ${often} operations, instantiations per operation, vs ${once}`,
        ours: perMany.toFixed(0),
        reference: perOne.toFixed(0),
        ratio: perMany / perOne,
        bar: { at: 'most', value: 1.1 },
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
