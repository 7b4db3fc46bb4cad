import { demonstration } from '../demonstration.ts';
import { administration, everybody, operators, type SliceTesting } from '../kernel/testing.ts';

export const testing: SliceTesting = {
  permissions: {
    'content_assignment_configuration.has_read_access': administration,
    'content_assignment_configuration.has_write_access': operators,
    'content_assignment_configuration.has_acknowledge_access': everybody,
    'content_assignment.has_admin_read_access': administration,
    'content_assignment.has_admin_write_access': administration,
    'content_assignment.has_learner_read_access': everybody,
  },
  contexts: { configuration: demonstration.assignmentConfiguration },
  examples: {
    contentPriceCents: 14_900,
    learnerEmails: ['learner-1000@demo.example'],
    assignmentConfigurationUuid: demonstration.assignmentConfiguration,
    state: 'allocated',
  },
};
