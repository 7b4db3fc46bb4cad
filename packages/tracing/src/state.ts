let on = false;

/** Whether tracing is on. Checked first everywhere, so that a process without a collector has no overhead. */
export const isTracing = (): boolean => on;

export function setTracing(value: boolean): void {
  on = value;
}
