import type { LocalFiles } from '@enterprise-access/domain';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export interface FilesOptions {
  readonly files: LocalFiles;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Downloads of local files. The signature in the link is the permission. */
export async function files(app: FastifyInstance, { files: local }: FilesOptions): Promise<void> {
  app.get('/files/*', async (request: FastifyRequest<{ Params: { '*': string } }>, reply) => {
    const { expires, signature } = request.query as Record<string, unknown>;
    const name = request.params['*'];
    const content = await local.open({ name, expires: textOf(expires), signature: textOf(signature) });
    if (content === null) return reply.code(404).send({ detail: 'Not found.' });
    return reply
      .type('text/csv; charset=utf-8')
      .header('cache-control', 'private, no-store')
      .header('content-disposition', `attachment; filename="${name.slice(name.lastIndexOf('/') + 1)}"`)
      .send(content);
  });
}
