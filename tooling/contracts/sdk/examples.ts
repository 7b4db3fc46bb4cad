import { definitionOf, fieldOf } from '@enterprise-access/domain';
import type { z } from 'zod';
import { jsonOf } from './bounds.ts';
import { isCounted, type Method } from './operations.ts';

/** Example values from the demo data, by field name. */
const byName: Readonly<Record<string, unknown>> = {
  enterpriseCustomerUuid: '11111111-1111-4111-8111-111111111111',
  defaultEnterpriseCustomerUuid: '11111111-1111-4111-8111-111111111111',
  enterpriseUuid: '11111111-1111-4111-8111-111111111111',
  catalogUuid: '22222222-2222-4222-8222-222222222222',
  subsidyUuid: '33333333-3333-4333-8333-333333333333',
  lmsUserId: 1000,
  contentKey: 'course-v1:edX+DemoX+2T2026',
  contentIdentifier: 'course-v1:edX+DemoX+2T2026',
  referenceId: '00kDEMO0000000009A',
  salesContractReferenceId: '00kDEMO0000000009A',
  salesContractReferenceProvider: 'salesforce_opportunity_line_item',
  defaultTitle: 'Credit for 2027',
  defaultStartingBalance: 1_000_000,
  desiredDepositQuantity: 50_000,
  quantityCents: 50_000,
  contentPriceCents: 14_900,
  spendLimit: 1_000_000,
  perLearnerSpendLimit: 100_000,
  displayName: 'Credit for everybody',
  traversePagination: true,
  learnerEmails: 'learner-1000@demo.example',
  days: 3,
};
const UUID = '0198c0de-0000-7000-8000-000000000001';
/** Optional fields that examples include. */
const shown = new Set(['active', 'displayName', 'learnerEmails']);

function exampleValue(schema: z.ZodType, name: string): string {
  const { schema: inner, isNullable } = fieldOf(schema, 'input');
  const definition = definitionOf(inner);
  if (definition.type === 'array' && definition.element) return `[${exampleValue(definition.element, name)}]`;
  if (definition.type === 'date') return `new Date('${/expiration|end/i.test(name) ? 2028 : 2027}-01-01T00:00:00Z')`;
  if (name in byName) return literal(byName[name]);
  if (definition.type === 'enum') return literal(Object.values(definition.entries ?? {})[0]);
  if (definition.type === 'boolean') return name === 'active' ? 'true' : 'false';
  if (/uuid$/i.test(name)) return literal(UUID);
  const { examples, minimum } = jsonOf(inner, 'input');
  if (examples?.[0] !== undefined) return literal(examples[0]);
  if (definition.type === 'number' || definition.type === 'int') return String(Math.max(1, minimum ?? 1));
  if (isNullable) return 'null';
  if (definition.type === 'string') return literal('text');
  const fields = definition.shape ? requiredFields(definition.shape) : [];
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}

const requiredFields = (shape: Readonly<Record<string, z.ZodType>>): string[] =>
  Object.entries(shape)
    .filter(([, field]) => !fieldOf(field, 'input').isOptional)
    .map(([name, field]) => `${name}: ${exampleValue(field, name)}`);

const literal = (value: unknown): string =>
  typeof value === 'string'
    ? `'${value}'`
    : typeof value === 'number'
      ? value.toLocaleString('en-US').replaceAll(',', '_')
      : String(value);

/** Example input: required fields and the optional fields above. */
export function exampleInput({ contract, hasRequiredInput }: Method): string {
  const fields = Object.entries(contract.input.shape)
    .filter(([name, field]) => !fieldOf(field, 'input').isOptional || shown.has(name) || name === 'traversePagination')
    .map(([name, field]) => `${name}: ${exampleValue(field, name)}`);
  if (fields.length === 0) return hasRequiredInput ? '{}' : '';
  const line = `{ ${fields.join(', ')} }`;
  return line.length <= 70 ? line : `{\n${fields.map((field) => `  ${field},\n`).join('')}}`;
}

const indented = (text: string): string => text.replaceAll('\n', '\n  ');

/** Example code of a method call. */
export function exampleOf(method: Method): string {
  const call = `access.${method.id}(${exampleInput(method)})`;
  switch (method.kind) {
    case 'list':
    case 'numbered':
      return `const page = await ${call};\nconsole.log(page.${isCounted(method) || method.kind === 'numbered' ? 'count' : 'items.length'});\nfor await (const item of ${call}) {\n  console.log(item);\n}`;
    case 'stream':
      return `for await (const answer of ${call}) {\n  console.log(answer);\n}`;
    case 'mutation':
      return `const answer = await access.${method.id}(\n  ${indented(exampleInput(method)) || '{}'},\n  { idempotencyKey: 'order-4711' },\n);\nconsole.log(answer);`;
    default:
      return `const answer = await ${call};\nconsole.log(answer);`;
  }
}
