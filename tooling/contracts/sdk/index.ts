import {
  commonErrors,
  type ErrorSpec,
  type Model,
  type Operation,
  type StreamOperation,
  shapeOf,
} from '@enterprise-access/domain';
import { clientFile } from './client-file.ts';
import { docsFiles } from './docs.ts';
import { errorsFile } from './errors-file.ts';
import { modelsFile } from './models-file.ts';
import { modelName } from './names.ts';
import { methodOf } from './operations.ts';
import { reactFile } from './react-file.ts';
import { routerFile } from './router-file.ts';
import type { NamedShape, Scope } from './types.ts';

/** Input of the generator. */
export interface Source {
  readonly operations: readonly Operation[];
  readonly streams: readonly StreamOperation[];
  readonly models: readonly Model[];
}

/** A file that the generator writes; the path starts in the folder of generated code, or of the documentation. */
export interface File {
  readonly path: string;
  readonly text: string;
}

const byName = <T extends { readonly id: string }>(a: T, b: T): number => (a.id < b.id ? -1 : 1);

/** All generated files: the code of the client and its reference. */
export function sdkFiles({ operations, streams, models }: Source): { code: File[]; docs: File[] } {
  const methods = [...operations, ...streams].map(methodOf).toSorted(byName);
  const routers = Map.groupBy(methods, ({ router }) => router);
  const shapes: NamedShape[] = models
    .map(({ name, schema }) => ({ name: modelName(name), shape: shapeOf(schema) ?? {}, def: schema._zod.def }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const names = new Map(models.map(({ name, schema }): [unknown, string] => [schema._zod.def, modelName(name)]));
  if (new Set(names.values()).size !== names.size) throw new Error('Two models would have the same name.');
  const errors = new Map<string, ErrorSpec>();
  for (const spec of [...commonErrors, ...methods.flatMap((method) => method.errors)]) errors.set(spec.code, spec);
  const undocumented: string[] = [];
  const scope = (): Scope => ({ names, models: shapes, declared: new Map(), used: new Set(), undocumented });
  const files = [...routers].map(([router, own]) => ({ router, ...routerFile(router, own, commonErrors, scope()) }));
  const answers = new Map(files.map((file) => [file.router, file.answers]));
  const code = [
    { path: 'client.ts', text: clientFile([...routers.keys()]) },
    { path: 'errors.ts', text: errorsFile([...errors.values()], methods, scope()) },
    { path: 'models.ts', text: modelsFile(models, scope()) },
    { path: 'react.ts', text: reactFile(answers) },
    ...files.map(({ router, text }) => ({ path: `${router}.ts`, text })),
  ];
  if (undocumented.length > 0) {
    throw new Error(`Without a description, and so without documentation: ${undocumented.join(', ')}.`);
  }
  return { code, docs: docsFiles(answers) };
}

export { exampleInput } from './examples.ts';
export { type Method, methodOf } from './operations.ts';
