import { context, propagation, trace } from '@opentelemetry/api';
import { setTracing } from './state.ts';

export interface Telemetry {
  /** Sends pending spans and takes the provider away, so that a later start in this process has its own. */
  stop(): Promise<void>;
}

/**
 * Sends traces to an OpenTelemetry collector over HTTP. Without its URL, tracing is off and the library is not
 * loaded.
 */
export async function startTelemetry(service: string, collector: string | undefined): Promise<Telemetry> {
  if (collector === undefined) return { stop: async () => undefined };
  const [{ OTLPTraceExporter }, { resourceFromAttributes }, { BatchSpanProcessor, NodeTracerProvider }] =
    await Promise.all([
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/sdk-trace-node'),
    ]);
  const exporter = new OTLPTraceExporter({ url: `${collector.replace(/\/+$/, '')}/v1/traces` });
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  provider.register();
  setTracing(true);
  return {
    async stop() {
      setTracing(false);
      for (const global of [trace, context, propagation]) global.disable();
      await provider.shutdown();
    },
  };
}
