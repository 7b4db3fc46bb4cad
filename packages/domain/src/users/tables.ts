import { defineModel, is } from '@enterprise-access/db';

const PLATFORM = {
  stays:
    'A copy of the platform’s user; brought up to date by each token, so that the platform’s own retirement reaches it.',
} as const;

/** The local copy of the platform's users. */
export const users = defineModel('users', {
  tenant: { platform: 'Users of the platform; one can belong to several customers.' },
  key: ['id'],
  columns: {
    username: is.text().personalData({ holds: 'Name at the platform.', ends: PLATFORM }),
    email: is.text().personalData({ holds: 'Address.', ends: PLATFORM }),
    fullName: is.text().nullable().personalData({ holds: 'Name.', ends: PLATFORM }),
    lmsUserId: is.integer().nullable(),
    isStaff: is.flag(),
    isSuperuser: is.flag(),
    isActive: is.flag(),
    created: is.instant(),
    modified: is.instant(),
  },
  internal: {
    id: is.integer(),
    emailKey: is.text().nullable().personalData({ holds: 'The address as it is compared.', ends: PLATFORM }),
  },
});

/** Stored roles, in addition to those of tokens. */
export const roleAssignments = defineModel('role_assignments', {
  tenant: 'enterpriseCustomerUuid',
  key: ['id'],
  columns: {
    userId: is.integer(),
    featureRole: is.code(),
    /** Null means all customers. */
    enterpriseCustomerUuid: is.uuid().nullable(),
    created: is.instant(),
  },
  internal: { id: is.integer() },
});

export const tables = [roleAssignments, users] as const;
