import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';

export type JsonObject = Record<string, unknown>;

/** As what a schema stands in the document: what may be sent to us, or what we send. */
type Side = 'input' | 'output';

export interface SchemaBook {
  /**
   * Enters the schema and everything with an id inside it, and returns a reference to it.
   * @param name used when the schema has no id of its own
   * @throws Error when one id would stand for two different things
   */
  readonly refer: (schema: z.ZodType, name: string, side: Side) => { $ref: string };
  /** Enters a piece of JSON Schema written by hand. */
  readonly enter: (name: string, schema: JsonObject) => { $ref: string };
  /** Everything entered, by name. */
  readonly schemas: () => JsonObject;
}

/** Collects `components.schemas`: each schema stands there once, however often it is used. */
export function openSchemaBook(): SchemaBook {
  const book = new Map<string, JsonObject>();

  const enter = (name: string, schema: JsonObject): { $ref: string } => {
    const known = book.get(name);
    if (known && !isDeepStrictEqual(known, schema)) {
      throw new Error(
        `'${name}' reads differently as an input and as an output: give them an id each in libs/contracts`,
      );
    }
    book.set(name, schema);
    return reference(name);
  };

  return {
    enter,
    refer: (schema, name, side) => {
      const { $schema: _, definitions = {}, ...whole } = withComponentReferences(toJsonSchema(schema, side));
      for (const [id, definition] of Object.entries(definitions as Record<string, JsonObject>)) enter(id, definition);
      // A schema with an id of its own comes as a bare reference to its definition.
      return typeof whole['$ref'] === 'string' ? { $ref: whole['$ref'] } : enter(name, whole);
    },
    schemas: () => Object.fromEntries([...book].toSorted(([one], [other]) => one.localeCompare(other))),
  };
}

function reference(name: string): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

function toJsonSchema(schema: z.ZodType, side: Side): JsonObject {
  return z.toJSONSchema(schema, {
    target: 'draft-7',
    io: side,
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema instanceof z.ZodObject && !zodSchema.def.catchall) {
        // Unknown fields in an input are ignored, in an output they are to be expected.
        delete jsonSchema.additionalProperties;
      }
      if (zodSchema instanceof z.ZodPipe && isCheck(zodSchema.def.in) && isCheck(zodSchema.def.out)) {
        // Both halves check the same value; by itself the library shows one of them.
        Object.assign(jsonSchema, toJsonSchema(zodSchema.def.in, side), toJsonSchema(zodSchema.def.out, side));
        delete jsonSchema.$schema;
      }
      // What every whole number of JavaScript obeys says nothing about this one.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
}

function isCheck(schema: z.core.$ZodType): schema is z.ZodType {
  return schema instanceof z.ZodType && !(schema instanceof z.ZodTransform);
}

function withComponentReferences(schema: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) => {
    if (key === '$ref' && typeof value === 'string') return value.replace('#/definitions/', '#/components/schemas/');
    return unwrapLoneReference(value);
  }) as JsonObject;
}

/** In this draft what stands beside a reference is ignored, so the library wraps even one with nothing beside it. */
function unwrapLoneReference(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('allOf' in value)) return value;
  const { allOf, ...beside } = value;
  const isLone = Array.isArray(allOf) && allOf.length === 1 && Object.keys(beside).length === 0;
  return isLone ? (allOf as unknown[])[0] : value;
}
