import type { FastifyInstance } from 'fastify';
import type { SandboxState } from './state.ts';

/** Where redemptions send learners: the LMS, and its front end for learning. */
const PATHS = ['/lms/courses/:key/courseware', '/learning/course/:key/home'];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');

function titleOf({ content }: SandboxState, key: string): string {
  const found = content.ids.get(key);
  return (found && content.courses.get(found.courseKey)?.title) ?? key;
}

const page = (title: string, key: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escaped(title)}</title>
<h1>${escaped(title)}</h1>
<p>This is the sandbox. On the platform, the learner would now see the course <code>${escaped(key)}</code>.</p>
</html>
`;

/** The page on which a browser lands after a redemption. Open to everybody, because browsers send no token with links. */
export function coursewareRoutes(app: FastifyInstance, state: SandboxState): void {
  for (const path of PATHS) {
    app.get<{ Params: { key: string } }>(path, (request, reply) =>
      reply.type('text/html; charset=utf-8').send(page(titleOf(state, request.params.key), request.params.key)),
    );
  }
}
