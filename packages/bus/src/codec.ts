import { type Data, encodeString } from './avro.ts';
import type { OutgoingEvent, RawMessage } from './bus.ts';
import type { EventType, EventTypes } from './event-types.ts';
import { frame, unframe } from './framing.ts';
import { type Metadata, readHeaders } from './headers.ts';
import type { SchemaRegistry } from './registry.ts';
import { Unreadable } from './unreadable.ts';

/** How values are written on one kind of bus. */
export interface ValueCodec {
  readonly contentType: string;
  decode(definition: EventType, value: Buffer | null): Promise<Data>;
}

/** Why an event cannot be sent, or its definition. */
export function sendable(eventTypes: EventTypes, event: OutgoingEvent): { definition: EventType } | { reason: string } {
  const definition = eventTypes.get(event.type);
  if (definition === undefined) return { reason: `There is no event type ${event.type}.` };
  const misfit = definition.avro.misfit(event.data);
  return misfit === null ? { definition } : { reason: `The data does not fit its schema in: ${misfit}.` };
}

/** Values in the registry's framing, read with our schema whatever they were written with. */
export function avroCodec(registry: SchemaRegistry): ValueCodec {
  const resolvers = new Map<string, object>();
  return {
    contentType: 'application/avro',
    async decode({ type, avro }, value) {
      const { schemaId, body } = unframe(value);
      const key = `${schemaId} ${type}`;
      const resolver = resolvers.get(key) ?? avro.resolver(await registry.schema(schemaId));
      resolvers.set(key, resolver);
      return avro.decode(body, resolver);
    },
  };
}

/** Values as JSON text, held against the same schemas: nobody but us reads them. */
export const jsonCodec: ValueCodec = {
  contentType: 'application/json',
  async decode({ avro }, value) {
    if (value === null) throw new Unreadable('not_framed', 'There is no value.');
    let data: Data;
    try {
      data = JSON.parse(value.toString('utf8'));
    } catch (cause) {
      throw new Unreadable('undecodable', 'The value is not JSON.', { cause });
    }
    const misfit = avro.misfit(data);
    if (misfit !== null) throw new Unreadable('undecodable', `The data does not fit its schema in: ${misfit}.`);
    return avro.conform(data);
  },
};

/** Metadata and data of a message; `Unreadable` when it has none that we understand. */
export async function readMessage(
  eventTypes: EventTypes,
  message: RawMessage,
  { codec, ...defaults }: { readonly codec: ValueCodec; readonly now: Date; readonly source: string },
): Promise<Metadata & { readonly data: Data }> {
  const metadata = readHeaders(message.headers, defaults);
  const definition = eventTypes.get(metadata.type);
  if (definition === undefined) throw new Unreadable('unknown_type', 'There is no definition of this event type.');
  return { ...metadata, data: await codec.decode(definition, message.value) };
}

/** Key and value of an event for a topic (with its prefix), in the registry's framing. */
export async function encodeEvent(
  registry: SchemaRegistry,
  topic: string,
  definition: EventType,
  event: OutgoingEvent,
): Promise<{ key: Buffer; value: Buffer }> {
  const { keySchema } = definition;
  const [valueId, keyId] = await Promise.all([
    registry.register(definition.valueSubject(topic), definition.schema),
    // The name of a string's record is "string": the rule for subjects knows no exception.
    keySchema === null ? null : registry.register(`${topic}-string`, keySchema),
  ]);
  return {
    value: frame(valueId, definition.avro.encode(event.data)),
    key: keyId === null ? Buffer.from(event.key, 'utf8') : frame(keyId, encodeString(event.key)),
  };
}
