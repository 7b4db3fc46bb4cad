import { type ErrorSpec, shapeOf } from '@enterprise-access/domain';
import { errorName, HEAD, importTypes, pascal } from './names.ts';
import { extraFields, isCounted, type Method } from './operations.ts';
import { comment, declareObject, type Scope, typeOf } from './types.ts';

/** Names of the types of a method. */
export const inputName = ({ router, name }: Method): string => `${pascal(router)}${pascal(name)}Input`;
const outputName = ({ router, name }: Method): string => `${pascal(router)}${pascal(name)}Output`;

/** REST method and path of the operation, for users of the old clients. */
export function restOf({ contract }: Method): string {
  if (contract.kind === 'subscription') return 'Server-sent events, on this client only.';
  const { method, alsoMethods = [], path } = contract.rest;
  const others = alsoMethods.map((each) => `, \`${each}\``).join('');
  return `REST: \`${method} ${path}\`${others}.`;
}

/** Type of the awaited or iterated value. */
export interface Answer {
  readonly type: string;
  readonly item: string | null;
  readonly page: string | null;
  /** Names that it needs: of the router's own file, and of the shared models. */
  readonly declared: readonly string[];
  readonly models: readonly string[];
}

function typesOf(method: Method, scope: Scope): Pick<Answer, 'type' | 'item' | 'page'> {
  const { contract, kind, item } = method;
  if (!item)
    return {
      type: typeOf(scope, contract.output, 'output', outputName(method), '', `What \`${method.id}\` answers.`),
      item: null,
      page: null,
    };
  const itemType = typeOf(
    scope,
    item,
    'output',
    `${pascal(method.router)}${pascal(method.name)}Item`,
    '',
    `An item of \`${method.id}\`.`,
  );
  const extra = extraFields(contract.output);
  const isPage = kind === 'list' && isCounted(method);
  if (isPage && Object.keys(extra).length === 0) return { type: `Page<${itemType}>`, item: itemType, page: null };
  const page =
    kind === 'numbered' || isPage ? `${pascal(method.router)}${pascal(method.name)}Page` : outputName(method);
  const about = `A page of \`${method.id}\`.`;
  if (isPage) declareObject(scope, page, extra, 'output', about, `Page<${itemType}>`);
  else declareObject(scope, page, shapeOf(contract.output) ?? {}, 'output', about);
  return { type: page, item: itemType, page };
}

function answerOf(method: Method, scope: Scope): Answer {
  const types = typesOf(method, scope);
  return { ...types, declared: [...scope.declared.keys()], models: [...scope.used] };
}

/** What a method returns. */
export const resultOf = ({ kind }: Method, { type, item, page }: Answer): string => {
  if (kind === 'stream') return `Subscription<${type}>`;
  if (item === null) return `ApiPromise<${type}>`;
  return page === null ? `List<${item}>` : `List<${item}, ${page}>`;
};

const methodText = (method: Method, answer: Answer): string => {
  const { contract, name, kind, errors, hasRequiredInput } = method;
  const lines = [
    contract.summary,
    '',
    `${restOf(method)} Permission: \`${contract.permission.name}\`.`,
    ...(errors.length > 0 ? [''] : []),
    ...errors.map(({ code, message }) => `@throws \`${errorName(code)}\` ${message}`),
  ];
  const options = kind === 'mutation' ? 'MutationOptions' : 'CallOptions';
  const input = `input${hasRequiredInput ? '' : '?'}: ${inputName(method)}`;
  return `${comment(lines, '  ')}  ${name}(${input}, options?: ${options}): ${resultOf(method, answer)};\n`;
};

/** Types and table of a router. */
export function routerFile(
  router: string,
  methods: readonly Method[],
  common: readonly ErrorSpec[],
  scope: Scope,
): { text: string; answers: (readonly [Method, Answer])[] } {
  const answers = methods.map((method): readonly [Method, Answer] => {
    declareObject(scope, inputName(method), method.contract.input.shape, 'input', `Input of \`${method.id}\`.`);
    return [method, answerOf(method, scope)];
  });
  const texts = answers.map(([method, answer]) => methodText(method, answer));
  const body = [...scope.declared.values(), ...texts].join('').replace(/\/\*\*[\s\S]*?\*\//g, '');
  const uses = (name: string) => new RegExp(`\\b${name}\\b`).test(body);
  const table = methods.map(({ name, kind }) => `  ${name}: '${kind}',\n`).join('');
  const about = `Operations of ${router}. Each can fail with any of the common errors: ${common.map(({ code }) => `\`${errorName(code)}\``).join(', ')}.`;
  const text = [
    HEAD,
    [
      importTypes(['ApiPromise'].filter(uses), '../call.ts'),
      "import type { Table } from '../client.ts';\n",
      importTypes(['NoDetails'].filter(uses), '../errors.ts'),
      importTypes(['CallOptions', 'MutationOptions'].filter(uses), '../options.ts'),
      importTypes(['List', 'Page'].filter(uses), '../page.ts'),
      importTypes(['Subscription'].filter(uses), '../stream.ts'),
      importTypes(
        [...scope.used].filter((name) => !scope.declared.has(name)),
        './models.ts',
      ),
    ].join(''),
    ...scope.declared.values(),
    `${comment([about])}export interface ${pascal(router)}Api {\n${texts.join('')}}\n`,
    `${comment([`How each operation of ${router} is called.`])}export const ${router}Table = {\n${table}} as const satisfies Table;\n`,
  ].join('\n');
  return { text, answers };
}
