/** Course runs of the demonstration; one of them is past its deadline, so that there is a refusal to see. */
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
