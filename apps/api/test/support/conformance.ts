import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { openApiDocument } from '../../src/openapi/document.ts';
import { isJson, type Json } from '../../src/openapi/json.ts';

interface Content {
  readonly schema: Json;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
export interface DocumentedParameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: Json;
  readonly example?: unknown;
}
export interface DocumentedOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly Json[];
  readonly parameters: readonly (DocumentedParameter | { readonly $ref: string })[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, { readonly $ref?: string }>>;
}
export interface OpenApi {
  readonly tags: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: Readonly<Record<string, Json>>;
}
interface Response {
  readonly content?: Readonly<Record<string, Content>>;
  /** Bodies of a status that can also come without a body. */
  readonly 'x-may-have-body'?: Response['content'];
}

/** Closes all objects of the document, so that undocumented fields are errors. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (!isJson(node)) return node;
  const inner = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, closed(value)]));
  const isOpen = inner.type === 'object' && isJson(inner.properties) && inner.additionalProperties === undefined;
  return isOpen ? { ...inner, additionalProperties: false } : inner;
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** Validates values against the document; schemas are compiled on first use. */
export class Conformance {
  readonly document: OpenApi;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #compiled = new Map<string, ValidateFunction>();
  readonly #routes: readonly { readonly path: string; readonly matches: RegExp }[];

  constructor(document: Json = openApiDocument()) {
    this.document = document as unknown as OpenApi;
    formats.default(this.#ajv);
    this.#ajv.addSchema(closed(document) as object, 'openapi.json');
    // Paths without placeholders take precedence.
    this.#routes = Object.keys(this.document.paths)
      .sort((a, b) => a.split('{').length - b.split('{').length)
      .map((path) => ({ path, matches: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}/?$`) }));
  }

  /** The problem of a value with the schema at a pointer, or null. */
  problemOf(pointer: string, value: unknown): string | null {
    const validate = this.#compiled.get(pointer) ?? this.#ajv.compile({ $ref: `openapi.json#${pointer}` });
    this.#compiled.set(pointer, validate);
    return validate(value) ? null : this.#ajv.errorsText(validate.errors);
  }

  /** The documented response of an operation for a status, and its pointer. */
  response(path: string, method: string, status: string): { readonly body: Response; readonly pointer: string } | null {
    const found = this.document.paths[path]?.[method]?.responses[status];
    if (found === undefined) return null;
    const name = found.$ref?.split('/').at(-1);
    if (name === undefined)
      return { body: found as Response, pointer: `/paths/${escaped(path)}/${method}/responses/${status}` };
    return { body: this.document.components.responses?.[name] as Response, pointer: `/components/responses/${name}` };
  }

  /** How a reply contradicts the document, or null. Undocumented paths and methods are not checked. */
  contradiction(request: { method: string; url: string }, reply: RealReply): string | null {
    const { pathname } = new URL(request.url, 'http://test');
    const method = request.method.toLowerCase();
    const path = this.#routes.find(({ matches }) => matches.test(pathname))?.path;
    if (path === undefined || this.document.paths[path]?.[method] === undefined) return null;
    const response = this.response(path, method, String(reply.status));
    const place = `${request.method} ${path} ${reply.status}`;
    if (response === null) return `${place} is not documented.`;
    const { content: promised, 'x-may-have-body': other } = response.body;
    if (promised === undefined && reply.text === '') return null;
    const content = promised ?? other;
    if (content === undefined) return `${place} has a body.`;
    const type = reply.contentType.split(';')[0] ?? '';
    if (content[type] === undefined) return `${place} is ${type}.`;
    const keyword = promised ? 'content' : 'x-may-have-body';
    const pointer = `${response.pointer}/${keyword}/${escaped(type)}/schema`;
    const problem = this.problemOf(pointer, type === 'application/json' ? JSON.parse(reply.text) : reply.text);
    return problem === null ? null : `${place}: ${problem}\n${reply.text.slice(0, 1_000)}`;
  }
}

export interface RealReply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

let shared: Conformance | undefined;

/** Throws if a reply does not match the document. Called for every request of every test. */
export function judge(request: { method: string; url: string }, reply: LightReply): void {
  shared ??= new Conformance();
  const contentType = String(reply.headers['content-type'] ?? '');
  const problem = shared.contradiction(request, { status: reply.statusCode, contentType, text: reply.body });
  if (problem !== null) throw new Error(`The document says otherwise. ${problem}`);
}

/** Reply of an injected request. */
interface LightReply {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}
