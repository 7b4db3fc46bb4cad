import { HEAD, pascal } from './names.ts';

/** The class that users make: a field for each router. */
export function clientFile(routers: readonly string[]): string {
  const imports = routers.map(
    (router) => `import { type ${pascal(router)}Api, ${router}Table } from './${router}.ts';\n`,
  );
  const fields = routers.map(
    (router) =>
      `  /** Operations of ${router}. */\n  readonly ${router}: ${pascal(router)}Api = this.router('${router}', ${router}Table);\n`,
  );
  return `${HEAD}
import { Client } from '../client.ts';
import type { ClientOptions } from '../options.ts';
import { declaredErrors } from './errors.ts';
${imports.join('')}
/** Calls the service for one caller; make as many as there are callers. It holds no connection and needs no closing. */
export class EnterpriseAccess extends Client {
${fields.join('')}
  /** A client reaches the service under one address, with one caller's token. */
  constructor(options: ClientOptions) {
    super(options, declaredErrors);
  }

  /** The same client with other options; this one stays as it is. */
  withOptions(changes: Partial<ClientOptions>): EnterpriseAccess {
    return new EnterpriseAccess(this.changed(changes));
  }
}
`;
}
