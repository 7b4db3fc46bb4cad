import type { PlanRow } from '../rules.ts';

/** The flag with the time since which licences are applied without interruption. */
export const autoApplying = (
  before: Pick<PlanRow, 'shouldAutoApplyLicenses' | 'autoApplySince'> | null,
  shouldAutoApplyLicenses: boolean | null,
  now: Date,
): Pick<PlanRow, 'shouldAutoApplyLicenses' | 'autoApplySince'> => {
  if (shouldAutoApplyLicenses !== true) return { shouldAutoApplyLicenses, autoApplySince: null };
  const isNew = before?.shouldAutoApplyLicenses !== true;
  return { shouldAutoApplyLicenses, autoApplySince: isNew ? now : before.autoApplySince };
};
