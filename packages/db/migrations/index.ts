import { platform } from './0001-platform.ts';
import { ledger } from './0002-ledger.ts';
import { policies } from './0003-policies.ts';
import { unenrolment } from './0004-unenrolment.ts';
import { mail } from './0005-mail.ts';
import { assignments } from './0006-assignments.ts';
import { exactText } from './0007-exact-text.ts';
import { leases } from './0008-leases.ts';
import { tenant } from './0009-tenant.ts';
import { asciiFolding } from './0010-ascii-folding.ts';
import { audit, auditReplacesHistories } from './0011-audit.ts';
import { decisions } from './0012-decisions.ts';
import { auditExports } from './0013-audit-exports.ts';
import { licenses } from './0014-licenses.ts';
import { billing } from './0016-billing.ts';
import { workflows } from './0017-workflows.ts';
import { bulkEnrollments } from './0018-bulk-enrollments.ts';
import type { Migration } from './migration.ts';

/** The one ordered chain. New migrations go to the end; a released one is never edited. */
export const migrations: readonly Migration[] = [
  platform,
  ledger,
  policies,
  unenrolment,
  mail,
  assignments,
  exactText,
  leases,
  tenant,
  asciiFolding,
  audit,
  auditReplacesHistories,
  decisions,
  auditExports,
  licenses,
  billing,
  workflows,
  bulkEnrollments,
];
