/** Which system roles of the platform carry which roles of ours (auth.md 3.1 and enterprise-subsidy's own map). */
export const featureRolesOf: Readonly<Record<string, readonly string[]>> = {
  enterprise_learner: ['policy_learner', 'assignments_learner', 'subsidy_learner'],
  enterprise_admin: ['policy_learner', 'assignments_admin', 'subsidy_learner', 'subsidy_admin'],
  enterprise_openedx_operator: [
    'policy_operator',
    'assignments_operator',
    'subsidy_learner',
    'subsidy_admin',
    'subsidy_operator',
  ],
};

/** Stored role assignments use the long names of the old tables. */
export const storedFeatureRoles: Readonly<Record<string, string>> = {
  enterprise_access_subsidy_access_policy_learner: 'policy_learner',
  enterprise_access_subsidy_access_policy_operator: 'policy_operator',
  enterprise_access_content_assignments_learner: 'assignments_learner',
  enterprise_access_content_assignments_admin: 'assignments_admin',
  enterprise_access_content_assignments_operator: 'assignments_operator',
  enterprise_subsidy_learner: 'subsidy_learner',
  enterprise_subsidy_admin: 'subsidy_admin',
  enterprise_subsidy_operator: 'subsidy_operator',
};

/** The matrix: who may do what. The authorization test walks it with every operation. */
export const grantedTo = {
  'subsidy_access_policy.has_read_access': ['policy_operator', 'policy_learner'],
  'subsidy_access_policy.has_write_access': ['policy_operator'],
  'subsidy_access_policy.has_redemption_access': ['policy_operator', 'policy_learner'],
  'subsidy_access_policy.has_allocation_access': ['assignments_operator', 'assignments_admin', 'policy_operator'],
  'content_assignment_configuration.has_read_access': ['assignments_operator', 'assignments_admin'],
  'content_assignment_configuration.has_write_access': ['assignments_operator'],
  'content_assignment_configuration.has_acknowledge_access': [
    'assignments_operator',
    'assignments_admin',
    'assignments_learner',
  ],
  'content_assignment.has_admin_read_access': ['assignments_operator', 'assignments_admin'],
  'content_assignment.has_admin_write_access': ['assignments_operator', 'assignments_admin'],
  'content_assignment.has_learner_read_access': ['assignments_operator', 'assignments_admin', 'assignments_learner'],
  'subsidy.can_read_metadata': ['subsidy_learner'],
  'subsidy.can_read_transactions': ['subsidy_learner'],
  'subsidy.can_read_subsidies': ['subsidy_admin'],
  'subsidy.can_read_all_transactions': ['subsidy_admin'],
  'subsidy.can_write_subsidies': ['subsidy_operator'],
  'subsidy.can_create_transactions': ['subsidy_operator'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Permission = keyof typeof grantedTo;
