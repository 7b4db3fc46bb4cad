/** What the tests of all operations need to know of a slice; `slice-testing.ts` of its folder exports it as `testing`. */
export interface SliceTesting {
  /**
   * Who has each permission: system roles of the platform. Written by hand from the specification, because the code under
   * test has a table of its own.
   */
  readonly permissions?: Readonly<Record<string, readonly string[]>>;
  /** Valid values of input fields by their names; other fields get a value made from their schema. */
  readonly examples?: Readonly<Record<string, unknown>>;
  /** A thing of the demonstration customer, by the kind of thing that a contract's `context.from` names. */
  readonly contexts?: Readonly<Record<string, string>>;
}

export const everybody = ['enterprise_learner', 'enterprise_admin', 'enterprise_openedx_operator'];
export const administration = ['enterprise_admin', 'enterprise_openedx_operator'];
export const operators = ['enterprise_openedx_operator'];
