import {
  type Contract,
  definitionOf,
  type ErrorSpec,
  fieldOf,
  type Operation,
  type StreamContract,
  type StreamOperation,
  shapeOf,
} from '@enterprise-access/domain';
import type { z } from 'zod';

/** How an operation is called; see `Kind` of the client. */
export type Kind = 'query' | 'mutation' | 'list' | 'numbered' | 'stream';

/** A method of the client. */
export interface Method {
  readonly id: string;
  readonly router: string;
  readonly name: string;
  readonly kind: Kind;
  readonly contract: Contract | StreamContract;
  readonly errors: readonly ErrorSpec[];
  /** For lists, the schema of an item. */
  readonly item: z.ZodType | null;
  readonly hasRequiredInput: boolean;
}

const PAGE_FIELDS = ['items', 'nextCursor', 'count', 'page', 'pageSize'];

function kindOf(contract: Contract | StreamContract): Kind {
  if (contract.kind === 'subscription') return 'stream';
  const output = shapeOf(contract.output) ?? {};
  if (contract.kind === 'mutation' || !output.items) return contract.kind;
  if ('nextCursor' in output && 'cursor' in contract.input.shape) return 'list';
  return 'numPages' in output && 'page' in contract.input.shape ? 'numbered' : 'query';
}

/** Pages say how many items there are; lists that grow without end do not. */
export const isCounted = ({ contract }: Pick<Method, 'contract'>): boolean => {
  const output = shapeOf(contract.output) ?? {};
  return PAGE_FIELDS.every((field) => field in output);
};

/** Additional fields of a page. */
export const extraFields = (output: z.ZodType): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(shapeOf(output) ?? {}).filter(([name]) => !PAGE_FIELDS.includes(name)));

export function methodOf({ id, domain, contract }: Operation | StreamOperation): Method {
  const kind = kindOf(contract);
  const items = shapeOf(contract.output)?.items;
  return {
    id,
    router: domain,
    name: id.slice(domain.length + 1),
    kind,
    contract,
    errors: contract.errors,
    item: (kind === 'list' || kind === 'numbered') && items ? (definitionOf(items).element ?? null) : null,
    hasRequiredInput: Object.values(contract.input.shape).some((field) => !fieldOf(field, 'input').isOptional),
  };
}
