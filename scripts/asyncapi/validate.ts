import { Parser } from '@asyncapi/parser';

// Severities are those of the language server protocol.
const ERROR = 0;

/** The errors that the official parser finds in the text of a document; none when it is valid. */
export async function asyncApiErrors(text: string): Promise<string[]> {
  const { diagnostics } = await new Parser().parse(text);
  return diagnostics
    .filter(({ severity }: { severity: number }) => severity === ERROR)
    .map(({ path, message }) => `${path.join('/') || '(document)'}: ${message}`);
}
