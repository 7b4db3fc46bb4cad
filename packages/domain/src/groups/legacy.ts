import { z } from 'zod';
import { pageEnvelope } from '../kernel/envelope.ts';
import { type LegacyForm, legacyReply } from '../kernel/legacy.ts';
import { linkToPage } from '../kernel/links.ts';
import { wireCodec } from '../kernel/wire.ts';
import * as contract from './contract.ts';
import { PAGE_SIZE } from './rules.ts';

const memberBody = z
  .object({
    enterprise_customer_user_id: z.int().nullable(),
    lms_user_id: z.int().nullable(),
    pending_enterprise_customer_user_id: z.int().nullable(),
    enterprise_group_membership_uuid: z.string(),
    member_details: z.object({ user_email: z.string(), user_name: z.string().nullable() }),
    recent_action: z.string().nullable(),
    status: z.string().nullable(),
    activated_at: z.string().nullable(),
    enrollments: z.number().nullable(),
    group_name: z.string().nullable(),
    group_uuid: z.string().nullable(),
    enrollment_count: z.int(),
  })
  .meta({ title: 'GroupMember' });

const associationBody = z
  .object({
    uuid: z.string(),
    policy_uuid: z.string(),
    group_uuid: z.string(),
    created: z.date(),
  })
  .meta({ title: 'GroupAssociation' });

const members = wireCodec(z.array(contract.member));
const association = wireCodec(contract.association);

/** Errors of these operations are bare JSON strings. */
const notFound = { body: z.string(), encode: (_details: object, message: string) => message };

export const legacy: Readonly<Record<string, LegacyForm>> = {
  listMembers: {
    reply: legacyReply(contract.listMembers, {
      body: pageEnvelope(memberBody),
      contentType: ({ csv }) => (csv === null ? null : 'text/csv; charset=utf-8'),
      otherTypes: ['text/csv'],
      encode: (found, request) =>
        found.csv ?? {
          next: found.page < found.numPages ? linkToPage(request.url, found.page + 1) : null,
          previous: found.page > 1 ? linkToPage(request.url, found.page - 1, { namesFirst: true }) : null,
          count: found.count,
          num_pages: found.numPages,
          current_page: found.page,
          start: (found.page - 1) * PAGE_SIZE,
          results: members.encode(found.items),
        },
    }),
    errors: { not_found: notFound },
  },
  addAssociation: {
    reply: legacyReply(contract.addAssociation, {
      body: associationBody,
      encode: (output) => association.encode(output.association),
      status: ({ created }) => (created ? 201 : 200),
      statuses: [200, 201],
    }),
  },
};
