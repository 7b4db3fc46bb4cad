import type { Input, Output } from '../kernel/contract.ts';
import type * as contract from './contract.ts';
import type { Deps } from './service.ts';
export async function nudge(_deps: Deps, _input: Input<typeof contract.nudge>): Promise<Output<typeof contract.nudge>> {
  throw new Error('later');
}
