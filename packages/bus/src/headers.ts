import { hostname } from 'node:os';
import { z } from 'zod';
import type { OutgoingEvent, RawMessage } from './bus.ts';
import { Unreadable } from './unreadable.ts';

/**
 * Version of the platform's event library whose definitions our schemas are. Consumers split it at the dots and need
 * integers. */
const LIBRARY_VERSION = '10.5.0';
const SOURCE_HOST = hostname();

export const sourceOf = (service: string): string => `openedx/${service}/web`;

/** ISO 8601 with offset `+00:00`; older consumers of the platform do not accept `Z`. */
const isoTime = (time: Date): string => time.toISOString().replace('Z', '+00:00');

const CORRELATION = 'correlationid';

/** The headers of an outgoing event, as CloudEvents names them (section 2.1). */
export const writeHeaders = (
  event: OutgoingEvent,
  options: { source: string; contentType: string },
): Readonly<Record<string, string>> => ({
  ce_type: event.type,
  ce_id: event.id,
  ce_source: options.source,
  ce_specversion: '1.0',
  ce_time: isoTime(event.time),
  ce_minorversion: '0',
  ce_datacontenttype: options.contentType,
  'content-type': options.contentType,
  sourcehost: SOURCE_HOST,
  sourcelib: LIBRARY_VERSION,
  // Our extension; the platform ignores unknown headers.
  ...(event.trace ? { traceparent: event.trace } : {}),
  ...(event.correlationId ? { [CORRELATION]: event.correlationId } : {}),
});

export interface Metadata {
  readonly type: string;
  readonly id: string;
  readonly source: string;
  readonly time: Date;
  readonly minorVersion: number;
  readonly trace: string | null;
  readonly correlationId: string | null;
}

// A time that is not in UTC, or has no offset, makes a message unreadable.
const UTC = z.iso.datetime({ offset: true }).refine((text) => /(?:Z|[+-]00:00)$/u.test(text));
const UUID = z.guid().toLowerCase();
const INTEGER = z.string().regex(/^\d{1,9}$/u);
const TRACE = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/u;
const LIBRARY = z.string().regex(/^\d+(?:\.\d+)*$/u);

/** A missing, repeated or malformed trace context is ignored; it does not make the event unreadable. */
function traceOf(headers: RawMessage['headers']): string | null {
  const [value, ...more] = headers.traceparent ?? [];
  const text = value?.toString('utf8') ?? '';
  return more.length === 0 && TRACE.test(text) ? text : null;
}

/** No event is refused for it either. */
function correlationOf(headers: RawMessage['headers']): string | null {
  const [value, ...more] = headers[CORRELATION] ?? [];
  const text = value?.toString('utf8') ?? '';
  return more.length === 0 && /^[!-~]{1,255}$/u.test(text) ? text : null;
}

/**
 * Reads the metadata of a message (R-EVT-09): type and id exactly once; the others at most once, and what is missing
 * takes a default.
 */
export function readHeaders(
  headers: RawMessage['headers'],
  defaults: { readonly now: Date; readonly source: string },
): Metadata {
  const one = (name: string): string | undefined => {
    const values = headers[name] ?? [];
    if (values.length > 1) throw new Unreadable('bad_header', `${name} is there ${values.length} times.`);
    return values[0]?.toString('utf8');
  };
  const required = (name: string): string => {
    const value = one(name);
    if (value === undefined) throw new Unreadable('bad_header', `${name} is missing.`);
    return value;
  };
  const parsed = (name: string, text: string | undefined, form: z.ZodType<string>): string | undefined => {
    if (text === undefined) return undefined;
    const result = form.safeParse(text);
    if (!result.success) throw new Unreadable('bad_header', `${name} is malformed.`);
    return result.data;
  };
  const type = required('ce_type');
  const id = parsed('ce_id', required('ce_id'), UUID) as string;
  const time = parsed('ce_time', one('ce_time'), UTC);
  const minorVersion = parsed('ce_minorversion', one('ce_minorversion'), INTEGER);
  parsed('sourcelib', one('sourcelib'), LIBRARY);
  one('sourcehost');
  return {
    type,
    id,
    source: one('ce_source') ?? defaults.source,
    time: time === undefined ? defaults.now : new Date(time),
    minorVersion: Number(minorVersion ?? 0),
    trace: traceOf(headers),
    correlationId: correlationOf(headers),
  };
}
