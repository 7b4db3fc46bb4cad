/** Course runs of the demo; one is past its deadline, to show a refusal. */
export const demonstrationCourses: readonly string[] = [
  'DemoX',
  'CentsX',
  'FreeX',
  'PastX',
  'DataX',
  'PythonX',
  'StatsX',
  'CloudX',
  'WriteX',
  'EthicsX',
  'SpanishX',
  'ExecX',
].map((name) => `course-v1:edX+${name}+2T2026`);
