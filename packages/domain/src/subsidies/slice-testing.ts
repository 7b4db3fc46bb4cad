import { demonstration } from '../demonstration.ts';
import { administration, everybody, operators, type SliceTesting } from '../kernel/testing.ts';

export const testing: SliceTesting = {
  permissions: {
    'subsidy.can_read_metadata': everybody,
    'subsidy.can_read_transactions': everybody,
    'subsidy.can_read_subsidies': administration,
    'subsidy.can_read_all_transactions': administration,
    'subsidy.can_write_subsidies': operators,
    'subsidy.can_create_transactions': operators,
  },
  contexts: { subsidy: demonstration.subsidy },
  examples: { quantityCents: 100 },
};
