import { type Operation, snakeCase } from '@enterprise-access/domain';

const PLACEHOLDER = /\{(\w+)\}/g;

/** Type names: `not_found` becomes `NotFound`, `policies.setLateRedemption` becomes `PoliciesSetLateRedemption`. */
export const pascalCase = (text: string): string =>
  text.replace(/(?:^|[._])([a-zA-Z0-9])/g, (_all, letter: string) => letter.toUpperCase());

/**
 * `operationId`, the function name in generated clients. If an operation has several methods, only the first has the
 * plain name.
 */
export const operationIdOf = ({ id, contract }: Operation, method: string): string =>
  `${id.replace('.', '_')}${method === contract.rest.method ? '' : `_${method.toLowerCase()}`}`;

/**
 * The path with snake_case parameters and without trailing slash. The server accepts both forms; the document lists
 * one.
 */
export const pathOf = ({ contract }: Operation): string =>
  contract.rest.path.replace(PLACEHOLDER, (_all, name: string) => `{${snakeCase(name)}}`).replace(/\/$/, '');

/** Wire names of the path parameters. */
export const namesInPath = ({ contract }: Operation): ReadonlySet<string> =>
  new Set([...contract.rest.path.matchAll(PLACEHOLDER)].map(([, name = '']) => snakeCase(name)));
