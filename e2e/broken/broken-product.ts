/** A way in which the product could be wrong, as edits of its source. */
export interface BrokenProduct {
  readonly name: string;
  readonly what: string;
  /** The test that has to fail. */
  readonly test: string;
  /** `from` is in the file exactly once. */
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[];
  /** What the test has to print: the names of the checkers that must complain, others may. */
  readonly seenAs: readonly string[];
}
