/** A failure with lines for a person: what is wrong and what to do about it. Shown without a stack trace. */
export class StackError extends Error {
  override readonly name = 'StackError';
}
