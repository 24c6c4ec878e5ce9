import type { JsonObject } from './schemas.ts';

/** What one side of the product contributes to the document. */
export interface Face {
  readonly channels: JsonObject;
  readonly operations: JsonObject;
  readonly messages: JsonObject;
}
