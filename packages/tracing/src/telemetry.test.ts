import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { currentTraceId, inSpan, isTracing, startSpan, startTelemetry, type Telemetry, traceparent } from './index.ts';
import { startCollector } from './testing.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('without a collector', () => {
  test('nothing is traced and nothing is made', async () => {
    await startTelemetry('test', undefined);
    expect([isTracing(), startSpan('x'), traceparent(), currentTraceId()]).toEqual([false, null, null, undefined]);
    expect(await inSpan('x', { parent: PARENT }, async (span) => [span, traceparent()])).toEqual([null, null]);
  });

  test('a process does not even load the library', async () => {
    const program = `
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
      const { startTelemetry } = await import(${JSON.stringify(fileURLToPath(new URL('./index.ts', import.meta.url)))});
      await startTelemetry('test', process.env.COLLECTOR);
      console.log(loaded.filter((url) => /opentelemetry\\/(sdk|exporter|resources)/.test(url)).length);
    `;
    const filesLoaded = async (env: Record<string, string>) => {
      const args = ['--input-type=module', '--eval', program];
      return Number((await promisify(execFile)(process.execPath, args, { env })).stdout);
    };
    expect(await filesLoaded({})).toBe(0);
    expect(await filesLoaded({ COLLECTOR: 'http://127.0.0.1:9' })).toBeGreaterThan(0);
  });
});

describe('with a collector', () => {
  let telemetry: Telemetry | undefined;
  afterEach(() => telemetry?.stop());

  test('a process that stops tracing and starts again sends to its new collector', async () => {
    for (const service of ['first', 'second']) {
      const collector = await startCollector();
      telemetry = await startTelemetry(service, collector.url);
      await inSpan('work', {}, async () => undefined);
      await telemetry.stop();
      telemetry = undefined;
      expect(collector.spans).toMatchObject([{ name: 'work', service }]);
      await collector.stop();
    }
  });

  test('spans are children of what caused them and say what failed by its kind only', async () => {
    const collector = await startCollector();
    telemetry = await startTelemetry('test', collector.url);
    const failing = inSpan('outer', { parent: PARENT }, () =>
      inSpan('inner', { attributes: { n: 1 } }, async () => {
        throw new RangeError('somebody@example.com');
      }),
    );
    await expect(failing).rejects.toThrow(RangeError);
    await telemetry.stop();
    telemetry = undefined;
    const [inner, outer] = collector.spans;
    expect(outer).toMatchObject({ name: 'outer', traceId: PARENT.split('-')[1], parentSpanId: PARENT.split('-')[2] });
    expect(inner).toMatchObject({
      name: 'inner',
      traceId: outer?.traceId,
      parentSpanId: outer?.spanId,
      service: 'test',
    });
    expect(JSON.stringify(collector.spans)).not.toContain('example.com');
    await collector.stop();
  });
});
