import { type Operation, snakeCase } from '@enterprise-access/domain';

const PLACEHOLDER = /\{(\w+)\}/g;

/** `not_found` and `policies.setLateRedemption` as names of types: `NotFound`, `PoliciesSetLateRedemption`. */
export const pascalCase = (text: string): string =>
  text.replace(/(?:^|[._])([a-zA-Z0-9])/g, (_all, letter: string) => letter.toUpperCase());

/** Names under which generated clients offer an operation; the first method keeps the plain one. */
export const operationIdOf = ({ id, contract }: Operation, method: string): string =>
  `${id.replace('.', '_')}${method === contract.rest.method ? '' : `_${method.toLowerCase()}`}`;

/**
 * The address in the names of the wire. Without a slash at the end: the server takes both forms, and two addresses for
 * one operation would only make a reader wonder.
 */
export const pathOf = ({ contract }: Operation): string =>
  contract.rest.path.replace(PLACEHOLDER, (_all, name: string) => `{${snakeCase(name)}}`).replace(/\/$/, '');

/** Wire names of the fields that are part of the address. */
export const namesInPath = ({ contract }: Operation): ReadonlySet<string> =>
  new Set([...contract.rest.path.matchAll(PLACEHOLDER)].map(([, name = '']) => snakeCase(name)));
