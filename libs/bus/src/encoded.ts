/** A value with its JSON text, which is made once however often it is sent. */
export class Encoded<T> {
  readonly value: T;
  readonly text: string;

  constructor(value: T) {
    this.value = value;
    this.text = JSON.stringify(value);
  }
}

/** The JSON text of a value that may have been encoded before. */
export function textOf(value: unknown): string {
  return value instanceof Encoded ? value.text : JSON.stringify(value);
}
