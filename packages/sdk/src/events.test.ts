import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventsOf, type ServerEvent } from './events.ts';

async function read(chunks: readonly Uint8Array[], signal = new AbortController().signal): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of eventsOf(ReadableStream.from(chunks), () => undefined, signal)) events.push(event);
  return events;
}

const bytes = (text: string) => new TextEncoder().encode(text);

test.each([
  ['a message', 'data: a\n\n', [{ event: 'message', data: 'a', id: undefined }]],
  ['a name and an id', 'event: ping\ndata: a\nid: 7\n\n', [{ event: 'ping', data: 'a', id: '7' }]],
  [
    'an event without data but with its field',
    'event: return\ndata: \n\n',
    [{ event: 'return', data: '', id: undefined }],
  ],
  ['several lines', 'data: a\ndata: b\n\n', [{ event: 'message', data: 'a\nb', id: undefined }]],
  ['comments and empty blocks', ': hello\n\n\n\ndata:a\n\n', [{ event: 'message', data: 'a', id: undefined }]],
  ['other ends of lines', 'data: a\r\n\r\ndata: b\r\r', [{ event: 'message', data: 'a', id: undefined }]],
  ['an event that was cut off', 'data: a\n\ndata: b\n', [{ event: 'message', data: 'a', id: undefined }]],
])('%s', async (_what, text, expected) => {
  expect((await read([bytes(text)])).slice(0, 1)).toEqual(expected);
});

test('where the network cuts the bytes changes nothing', async () => {
  const text = 'event: connected\r\ndata: {}\r\n\r\ndata: {"name":"Žluťoučký 🐎"}\nid: 1\n\n: ping\n\ndata: 2\n\n';
  const whole = bytes(text);
  const expected = await read([whole]);
  expect(expected).toHaveLength(3);
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(whole.length), { maxLength: 20 }), async (cuts) => {
      const ends = [...cuts.toSorted((a, b) => a - b), whole.length];
      const chunks = ends
        .map((end, index) => whole.slice(ends[index - 1] ?? 0, end))
        .filter(({ length }) => length > 0);
      expect(await read(chunks)).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test('an aborted signal ends a stream without data', async () => {
  const controller = new AbortController();
  let isCancelled = false;
  const silent = new ReadableStream<Uint8Array>({
    cancel: () => {
      isCancelled = true;
    },
  });
  const reading = eventsOf(silent, () => undefined, controller.signal).next();
  controller.abort();
  expect(await reading).toEqual({ done: true, value: undefined });
  expect(isCancelled).toBe(true);
});
