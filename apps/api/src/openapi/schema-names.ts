import { byName, isJson, type Json } from './json.ts';

/** Keywords whose values are data, not schemas. */
const DATA = new Set(['enum', 'const', 'default', 'examples', 'required']);

/**
 * The named schemas of a document. A schema with a title is defined once and referenced everywhere else, so that
 * generated clients have one type for it.
 */
export class SchemaNames {
  readonly #bodies = new Map<string, Json>();

  /** The schema with every titled part replaced by a reference. */
  refer(json: Json): Json {
    return this.#walk(json) as Json;
  }

  /** Like `refer`; an object without a title gets this name. */
  referAs(name: string, json: Json): Json {
    return this.refer(json.type === 'object' && json.title === undefined ? { ...json, title: name } : json);
  }

  all(): Record<string, Json> {
    return byName(Object.fromEntries(this.#bodies));
  }

  #walk(node: unknown): unknown {
    if (Array.isArray(node)) return node.map((each) => this.#walk(each));
    if (!isJson(node)) return node;
    const { title, ...json } = Object.fromEntries(
      Object.entries(node).map(([name, value]) => {
        if (DATA.has(name)) return [name, value];
        return [name, name === 'properties' ? this.#fields(value) : this.#walk(value)];
      }),
    );
    if (typeof title !== 'string') return json;
    // Keep the description where the schema is used, and the rest in the named schema.
    const { description, ...body } = json;
    this.#add(title, body);
    return { $ref: `#/components/schemas/${title}`, ...(description === undefined ? {} : { description }) };
  }

  // Keys of `properties` are field names, even if a field is called "title".
  #fields(value: unknown): unknown {
    if (!isJson(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, this.#walk(field)]));
  }

  #add(name: string, body: Json): void {
    const known = this.#bodies.get(name);
    if (known && JSON.stringify(known) !== JSON.stringify(body)) {
      throw new Error(`Two schemas have the title ${name}: ${JSON.stringify(known)} and ${JSON.stringify(body)}`);
    }
    this.#bodies.set(name, body);
  }
}
