import { z } from 'zod';
import { type LegacyForm, legacyReply } from '../kernel/legacy.ts';
import { wireBody, wireCodec } from '../kernel/wire.ts';
import * as contract from './contract.ts';

const inProgress = z
  .object({ workflow_uuid: z.string().describe('Ask again, or follow the workflow.') })
  .meta({ title: 'ProvisioningInProgress' });

const encodeDocument = wireCodec(contract.document).encode;

export const legacy: Readonly<Record<string, LegacyForm>> = {
  create: {
    reply: legacyReply(contract.create, {
      body: z.union([wireBody(contract.document), inProgress]),
      encode: ({ workflowUuid, document }) =>
        document === null ? { workflow_uuid: workflowUuid } : encodeDocument(document),
      status: ({ document }) => (document === null ? 202 : 201),
      statuses: [201, 202],
    }),
  },
};
