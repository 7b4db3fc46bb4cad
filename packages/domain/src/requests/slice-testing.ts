import { demonstration } from '../demonstration.ts';
import { administration, everybody, type SliceTesting } from '../kernel/testing.ts';

export const testing: SliceTesting = {
  permissions: {
    'requests.has_admin_access': administration,
    'requests.has_learner_or_admin_access': everybody,
  },
  contexts: { learnerCreditRequest: demonstration.request },
  examples: {
    courseId: 'edX+DemoX',
    coursePrice: 14_900,
    learnerCreditRequestUuids: [demonstration.request],
    subsidyType: 'license',
    userEmail: 'learner-1901@demo.example',
  },
};
