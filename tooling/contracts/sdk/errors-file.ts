import { type ErrorSpec, shapeOf } from '@enterprise-access/domain';
import { errorName, HEAD, importTypes } from './names.ts';
import type { Method } from './operations.ts';
import { comment, declareObject, type Scope } from './types.ts';

/** A class for each declared error, and the table by which the client finds it. */
export function errorsFile(errors: readonly ErrorSpec[], methods: readonly Method[], scope: Scope): string {
  const sorted = errors.toSorted((a, b) => (a.code < b.code ? -1 : 1));
  const classes = sorted.map((spec) => {
    const name = errorName(spec.code);
    const shape = shapeOf(spec.details) ?? {};
    const hasDetails = Object.keys(shape).length > 0;
    if (hasDetails) declareObject(scope, `${name}Details`, shape, 'output', `What \`${spec.code}\` tells.`);
    const from = methods.filter((method) => method.errors.some(({ code }) => code === spec.code)).map(({ id }) => id);
    const lines = [
      spec.message,
      '',
      `Status ${spec.status}. ${from.length > 0 ? `Of ${from.map((id) => `\`${id}\``).join(', ')}.` : 'Of any operation.'}`,
    ];
    const details = hasDetails ? `${name}Details` : 'NoDetails';
    return `${comment(lines)}export class ${name} extends DeclaredError<'${spec.code}', ${details}> {}\n`;
  });
  const table = sorted.map(({ code }) => `  ${code}: ${errorName(code)},\n`).join('');
  const declared = new Set(scope.declared.keys());
  const hand = [...scope.used].filter((name) => name === 'FieldErrors');
  const models = [...scope.used].filter((name) => !declared.has(name) && name !== 'FieldErrors');
  return [
    HEAD,
    `import { DeclaredError, type ErrorClass, ${[...hand, 'NoDetails'].map((name) => `type ${name}`).join(', ')} } from '../errors.ts';\n${importTypes(models, './models.ts')}`,
    ...scope.declared.values(),
    ...classes,
    `${comment(['Every declared error by its code.'])}export const declaredErrors: Readonly<Record<string, ErrorClass>> = {\n${table}};\n`,
  ].join('\n');
}
