import type { Course, Run } from './content.ts';
import { stableUuid } from './ids.ts';

const EXEC_ED = 'executive-education-2u';
const isExecEd = (course: Course) => course.productSource === '2u';

/** Dollars with exactly two decimals, from cents, without a float in between. */
const dollarText = (cents: number) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;

function seatsOf(run: Run) {
  if (run.priceCents === 0)
    return [{ type: 'audit', price: '0.00', upgrade_deadline: null, upgrade_deadline_override: null }];
  const price = dollarText(run.priceCents);
  return [{ type: 'verified', price, upgrade_deadline: run.enrollByDate, upgrade_deadline_override: null }];
}

function runFields(course: Course, run: Run) {
  // Only a verified seat has an upgrade deadline; elsewhere the deadline is the end of enrolment.
  const execEd = isExecEd(course);
  const seats = execEd ? [] : seatsOf(run);
  return {
    key: run.key,
    uuid: run.uuid,
    title: run.title,
    status: 'published',
    is_enrollable: true,
    is_marketable: run.restrictionType === null,
    availability: 'Current',
    pacing_type: run.pacing,
    start: run.startDate,
    end: run.endDate,
    enrollment_start: null,
    enrollment_end: execEd || run.priceCents === 0 ? run.enrollByDate : null,
    first_enrollable_paid_seat_price: execEd || run.priceCents === 0 ? null : run.priceCents / 100,
    fixed_price_usd: null,
    variant_id: execEd ? stableUuid(`variant:${run.key}`) : null,
    restriction_type: run.restrictionType,
    weeks_to_complete: run.weeks,
    seats,
  };
}

type RunFields = ReturnType<typeof runFields>;

/** R-UP-31, from what the run record says. ISO times in UTC compare as texts. */
function normalized(course: Course, run: Run, fields: RunFields) {
  const seat = fields.seats[0];
  const deadlines = [seat?.upgrade_deadline_override ?? seat?.upgrade_deadline ?? null, fields.enrollment_end];
  const earliest = deadlines.filter((date) => date !== null).toSorted()[0] ?? null;
  const execEdPrice = isExecEd(course) ? run.priceCents / 100 : null;
  return {
    start_date: fields.start,
    end_date: fields.end,
    enroll_by_date: isExecEd(course) ? fields.enrollment_end : earliest,
    enroll_start_date: fields.enrollment_start,
    content_price: fields.fixed_price_usd ?? execEdPrice ?? fields.first_enrollable_paid_seat_price ?? 0,
  };
}

function courseBase(course: Course) {
  const [advertised] = course.runs;
  const execEd = isExecEd(course);
  const mode = execEd ? 'paid-executive-education' : 'verified';
  const entitlement = { mode, price: dollarText(advertised.priceCents), currency: 'USD', sku: course.uuid.slice(0, 7) };
  const image = `https://images.sandbox.example/${course.slug}.png`;
  const owner = { uuid: stableUuid(`owner:${course.institution}`), key: course.key.split('+')[0] ?? 'edX' };
  return {
    course_type: execEd ? EXEC_ED : 'verified-audit',
    product_source: execEd
      ? { name: '2u', slug: '2u', description: '2U, Trilogy, Getsmarter' }
      : { name: 'edX', slug: 'edX', description: 'edX' },
    advertised_course_run_uuid: advertised.uuid,
    image_url: image,
    card_image_url: null,
    owners: [{ ...owner, name: course.institution, logo_image_url: 'https://images.sandbox.example/logo.png' }],
    entitlements: advertised.priceCents === 0 ? [] : [entitlement],
    subjects: [{ name: advertised.subject }],
    level_type: advertised.level,
    language: advertised.language,
    content_last_modified: '2026-01-01T00:00:00Z',
    active: true,
  };
}

function buildRecord(course: Course) {
  const runs = course.runs.map((run) => runFields(course, run));
  const byRun = Object.fromEntries(
    course.runs.map((run) => [run.key, normalized(course, run, runFields(course, run))] as const),
  );
  return {
    key: course.key,
    uuid: course.uuid,
    content_type: 'course',
    title: course.title,
    aggregation_key: `course:${course.key}`,
    ...courseBase(course),
    course_runs: runs,
    normalized_metadata: byRun[course.runs[0].key],
    normalized_metadata_by_run: byRun,
    parent_content_key: null,
    enrollment_url: `https://learning.sandbox.example/${course.slug}/enroll`,
    xapi_activity_id: `https://learning.sandbox.example/xapi/activities/course/${course.key}`,
  };
}

// A changed course is a new object, so an entry here cannot go stale.
const records = new WeakMap<Course, ReturnType<typeof buildRecord>>();

/** The course as enterprise-catalog shows it. Built once: it is read far more often than it changes. */
export function courseRecord(course: Course) {
  const known = records.get(course);
  if (known) return known;
  const record = buildRecord(course);
  records.set(course, record);
  return record;
}

/** A single run as a content record of its own. */
export function runRecord(course: Course, run: Run) {
  const fields = runFields(course, run);
  return {
    ...fields,
    content_type: 'courserun',
    aggregation_key: `courserun:${course.key}`,
    parent_content_key: course.key,
    product_source: courseRecord(course).product_source,
    normalized_metadata: normalized(course, run, fields),
    content_last_modified: '2026-01-01T00:00:00Z',
    enrollment_url: `https://learning.sandbox.example/${course.slug}/enroll`,
  };
}
