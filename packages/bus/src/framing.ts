import { Unreadable } from './unreadable.ts';

const MAGIC = 0;
const HEADER_BYTES = 5;

/** The Confluent wire format: a zero byte, the schema's id in four bytes, then the Avro body. */
export function frame(schemaId: number, body: Buffer): Buffer {
  const message = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  message.writeUInt8(MAGIC, 0);
  message.writeUInt32BE(schemaId, 1);
  body.copy(message, HEADER_BYTES);
  return message;
}

export function unframe(message: Buffer | null): { schemaId: number; body: Buffer } {
  if (message === null) throw new Unreadable('not_framed', 'There is no value.');
  if (message.length < HEADER_BYTES || message[0] !== MAGIC)
    throw new Unreadable('not_framed', 'The value does not start with a schema id.');
  return { schemaId: message.readUInt32BE(1), body: message.subarray(HEADER_BYTES) };
}
