/** Test data of a slice for the tests that cover all operations; exported as `testing` from `slice-testing.ts`. */
export interface SliceTesting {
  /** Expected system roles for each permission. Written by hand, independent of the table in the code under test. */
  readonly permissions?: Readonly<Record<string, readonly string[]>>;
  /** Valid values of input fields by name; other fields get a value made from their schema. */
  readonly examples?: Readonly<Record<string, unknown>>;
  /** Ids of resources of the demo customer, by resource kind as in a contract's `context.from`. */
  readonly contexts?: Readonly<Record<string, string>>;
}

export const everybody = ['enterprise_learner', 'enterprise_admin', 'enterprise_openedx_operator'];
export const administration = ['enterprise_admin', 'enterprise_openedx_operator'];
export const operators = ['enterprise_openedx_operator'];
