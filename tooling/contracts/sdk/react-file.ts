import { HEAD, importTypes, pascal } from './names.ts';
import type { Method } from './operations.ts';
import { type Answer, inputName } from './router-file.ts';
import { comment } from './types.ts';

const factoryOf = (method: Method, { type, page }: Answer): string => {
  const input = `${inputName(method)}${method.hasRequiredInput ? '' : ' | undefined'}`;
  if (method.kind === 'mutation') return `MutationFactory<${input}, ${type}>`;
  if (method.kind === 'list') return `ListFactory<${input}, ${page ?? type}, string | null>`;
  return method.kind === 'numbered' ? `ListFactory<${input}, ${type}, number>` : `QueryFactory<${input}, ${type}>`;
};

/** The option factories for TanStack Query: types only, one function makes them all from the tables. */
export function reactFile(routers: ReadonlyMap<string, readonly (readonly [Method, Answer])[]>): string {
  const factories = [...routers].map(([router, methods]) => {
    const fields = methods
      .filter(([{ kind }]) => kind !== 'stream')
      .map(
        ([method, answer]) =>
          `${comment([method.contract.summary], '  ')}  readonly ${method.name}: ${factoryOf(method, answer)};\n`,
      );
    const about = comment([`Options for the operations of ${router}.`]);
    return `${about}export interface ${pascal(router)}Queries extends RouterKeys {\n${fields.join('')}}\n`;
  });
  const body = factories.join('\n');
  const used = (names: Iterable<string>) =>
    [...new Set(names)].filter((name) => new RegExp(`\\b${name}\\b`).test(body));
  const types = [...routers].map(([router, methods]) =>
    importTypes(used(methods.flatMap(([method, { declared }]) => [inputName(method), ...declared])), `./${router}.ts`),
  );
  const models = used([...routers.values()].flatMap((methods) => methods.flatMap(([, { models }]) => models)));
  const kinds = used(['ListFactory', 'MutationFactory', 'QueryFactory', 'RouterKeys']);
  return [
    HEAD,
    [
      `import { factories, ${kinds.map((name) => `type ${name}`).join(', ')} } from '../react-factories.ts';\n`,
      importTypes(used(['NoDetails']), '../errors.ts'),
      importTypes(used(['Page']), '../page.ts'),
      "import type { EnterpriseAccess } from './client.ts';\n",
      importTypes(models, './models.ts'),
      ...types,
      ...[...routers.keys()].map((router) => `import { ${router}Table } from './${router}.ts';\n`),
    ].join(''),
    body,
    `${comment(['Options for every operation.'])}export interface AccessQueries extends RouterKeys {
${[...routers.keys()].map((router) => `  /** Options for the operations of ${router}. */\n  readonly ${router}: ${pascal(router)}Queries;\n`).join('')}}
`,
    `${comment(['Makes options for TanStack Query from a client.'])}export const accessQueries = (access: EnterpriseAccess): AccessQueries =>
  factories<AccessQueries>(access, {
${[...routers.keys()].map((router) => `    ${router}: ${router}Table,\n`).join('')}  });
`,
  ].join('\n');
}
