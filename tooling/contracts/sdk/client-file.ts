import { HEAD, pascal } from './names.ts';

/** Generates the client class, with a field for each router. */
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
/** Client of the service for one caller. Create one per caller; it holds no connections and needs no closing. */
export class EnterpriseAccess extends Client {
${fields.join('')}
  /** Creates a client for one base URL and one caller's token. */
  constructor(options: ClientOptions) {
    super(options, declaredErrors);
  }

  /** Returns a copy of the client with changed options. */
  withOptions(changes: Partial<ClientOptions>): EnterpriseAccess {
    return new EnterpriseAccess(this.changed(changes));
  }
}
`;
}
