import { z } from 'zod';
import { defineSettings } from '../kernel/settings.ts';

declare module '../kernel/settings.ts' {
  interface Settings {
    /** Base URL of the administrators' portal, for links in mails; null if not configured. */
    readonly adminPortalUrl: string | null;
  }
}

export const settings = defineSettings({
  adminPortalUrl: {
    variable: 'ENTERPRISE_ADMIN_PORTAL_URL',
    schema: z
      .url()
      .transform((url) => url.replace(/\/+$/, ''))
      .nullable()
      .default(null)
      .describe('Base URL of the administrators’ portal, for links in mails.'),
  },
});
