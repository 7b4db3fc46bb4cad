import { operations, service, snakeCase, streams } from '@enterprise-access/domain';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';

const OBVIOUS =
  /^(uuid|\w+Uuid|policyType|displayName|description|active|retired|retiredAt|accessMethod|lateRedemptionAllowedUntil|items)$/;

type Def = {
  type: string;
  shape?: Record<string, z.ZodType>;
  innerType?: z.ZodType;
  in?: z.ZodType;
  element?: z.ZodType;
};
const defOf = (schema: z.ZodType): Def => schema._zod.def as unknown as Def;
const described = (schema: z.ZodType): boolean => {
  const { innerType, in: from } = defOf(schema);
  const inner = innerType ?? from;
  return Boolean(schema.description) || (inner !== undefined && described(inner));
};
const undescribed = (schema: z.ZodType): string[] => {
  const { shape, element } = defOf(schema);
  if (element) return undescribed(element);
  return Object.entries(shape ?? {}).flatMap(([name, field]) => (described(field) || OBVIOUS.test(name) ? [] : [name]));
};

describe('the catalogue of operations', () => {
  const procedures = service.appRouter._def.procedures as unknown as Record<string, { _def: { type: string } }>;

  test('every procedure has a contract and every contract a procedure of its kind', () => {
    const declared = [...operations, ...streams];
    expect(Object.keys(procedures).sort()).toEqual(declared.map(({ id }) => id).sort());
    for (const { id, contract } of declared) expect(procedures[id]?._def.type, id).toBe(contract.kind);
  });

  test('no two operations share a REST method and path', () => {
    const routes = operations.flatMap(({ contract: { rest } }) =>
      [rest.method, ...(rest.alsoMethods ?? [])].map(
        (method) => `${method} ${rest.path.replace(/\{\w+\}/g, '{}').replace(/\/$/, '')}`,
      ),
    );
    expect(routes.filter((route, index) => routes.indexOf(route) !== index)).toEqual([]);
  });

  test('an error code means one status everywhere', () => {
    const byCode = Map.groupBy(
      operations.flatMap(({ contract }) => [...contract.errors]),
      ({ code }) => code,
    );
    for (const [code, specs] of byCode) expect(new Set(specs.map(({ status }) => status)).size, code).toBe(1);
  });

  const all = [...operations, ...streams].map((operation) => [operation.id, operation] as const);
  describe.each(all)('%s', (_id, { contract }) => {
    test('says in a sentence what it does', () => expect(contract.summary).toMatch(/^[A-Z].*\.$/));
    test('describes every input field', () => expect(undescribed(contract.input)).toEqual([]));
    test('reports output fields without a description', async ({ annotate }) => {
      const missing = undescribed(contract.output);
      if (missing.length > 0) await annotate(`without a description: ${missing.join(', ')}`);
    });
    test('declares errors with unique codes that clients can tell apart', () => {
      const codes = contract.errors.map(({ code }) => code);
      expect(new Set(codes).size).toBe(codes.length);
      for (const { status } of contract.errors) expect(status).toBeGreaterThanOrEqual(400);
    });
    test('takes its context and its path from input fields', () => {
      const names = Object.keys(contract.input.shape);
      const path = 'rest' in contract ? contract.rest.path : '';
      const pathNames = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const { from, field } = contract.context;
      const used = [...(['caller', 'platform', 'anywhere'].includes(from) ? [] : [field]), ...pathNames];
      expect(used.filter((name) => !names.includes(name ?? ''))).toEqual([]);
      expect(new Set(names.map(snakeCase)).size).toBe(names.length);
    });
  });
});
