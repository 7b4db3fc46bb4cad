let on = false;

/** Whether this process traces. Everything asks this first, so that a process without a collector does no work for it. */
export const isTracing = (): boolean => on;

export function setTracing(value: boolean): void {
  on = value;
}
