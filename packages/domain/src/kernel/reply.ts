import type { z } from 'zod';
import { conformsTo } from './conforms.ts';
import type { Contract } from './contract.ts';
import type { Runtime } from './runtime.ts';
import { definitionOf, innerOf, visit } from './schema.ts';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** The value as it is, without the fields of objects that the schema does not name. */
function namedPart(schema: z.ZodType, value: unknown): unknown {
  const inner = innerOf(definitionOf(schema), 'output');
  if (inner) return namedPart(inner, value);
  return visit<unknown>(
    schema,
    {
      object: ({ shape = {} }) =>
        isObject(value)
          ? Object.fromEntries(
              Object.entries(shape).flatMap(([name, of]) =>
                Object.hasOwn(value, name) ? [[name, namedPart(of, value[name])]] : [],
              ),
            )
          : value,
      array: ({ element }) =>
        element && Array.isArray(value) ? value.map((each: unknown) => namedPart(element, each)) : value,
    },
    value,
  );
}

type ReplyCheck = (log: Runtime['log'], operation: string, output: unknown) => unknown;

/**
 * The reply of a handler, if it keeps its contract. What a mutation did is committed by then, so a reply of it that
 * breaks its contract is logged and sent all the same: a failure would say that nothing was done.
 */
export function replyCheckOf(contract: Pick<Contract, 'kind' | 'output'>): ReplyCheck {
  const conforms = conformsTo(contract.output);
  return (log, operation, output) => {
    if (conforms?.(output)) return output;
    const reply = contract.output.safeParse(output);
    if (reply.success) return reply.data;
    const broken = new Error(`The reply of ${operation} breaks its contract.`, { cause: reply.error });
    if (contract.kind === 'query') throw broken;
    log.error({ err: broken, operation }, 'the reply of a committed mutation breaks its contract');
    return namedPart(contract.output, output);
  };
}
