import { z } from 'zod';

interface HealthDataMark {
  readonly 'x-health-data': true;
}

/**
 * Marks a field as health data or as something that names a person. The mark is all there is to say:
 * log redaction, the subjects that operations may watch, and the AsyncAPI document follow from it.
 */
export function healthData<S extends z.ZodType>(schema: S): S {
  const mark: HealthDataMark = { 'x-health-data': true };
  // The marked copy inherits the description of the schema, and not its id, which must stay one schema's own.
  return schema.meta({ ...mark });
}

function isMarked(schema: z.core.$ZodType): boolean {
  return z.globalRegistry.get(schema)?.['x-health-data'] === true;
}

/** The names of the marked fields of a schema, at any depth: `content`, `attachment`. */
export function healthDataFields(schema: z.core.$ZodType): ReadonlySet<string> {
  const found = new Set<string>();
  visit(schema, found, new Set());
  return found;
}

/** Whether anything in the schema is health data. */
export function carriesHealthData(schema: z.core.$ZodType): boolean {
  return isMarkedInPlace(schema) || healthDataFields(schema).size > 0;
}

function visit(schema: z.core.$ZodType, found: Set<string>, seen: Set<z.core.$ZodType>): void {
  if (seen.has(schema)) return;
  seen.add(schema);
  if (schema instanceof z.ZodObject) {
    for (const [field, child] of Object.entries<z.core.$ZodType>(schema.shape)) {
      if (isMarkedInPlace(child)) found.add(field);
    }
  }
  for (const part of partsOf(schema)) visit(part, found, seen);
}

/** Whether the mark is on the schema, or on what a value in its place may be: an option, an element, an inner type. */
function isMarkedInPlace(schema: z.core.$ZodType): boolean {
  return isMarked(schema) || (!(schema instanceof z.ZodObject) && partsOf(schema).some(isMarkedInPlace));
}

/** What a schema is made of. A kind that is missing here would hide the marks below it. */
function partsOf(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) return Object.values<z.core.$ZodType>(schema.shape);
  if (schema instanceof z.ZodArray) return [schema.element];
  if (schema instanceof z.ZodUnion) return schema.options;
  if (schema instanceof z.ZodRecord) return [schema.keyType, schema.valueType];
  if (schema instanceof z.ZodTuple) return [...schema.def.items, ...(schema.def.rest ? [schema.def.rest] : [])];
  if (schema instanceof z.ZodIntersection) return [schema.def.left, schema.def.right];
  if (schema instanceof z.ZodPipe) return [schema.in, schema.out];
  if (schema instanceof z.ZodLazy) return [schema.unwrap()];
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNonOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodCatch ||
    schema instanceof z.ZodReadonly
  ) {
    return [schema.def.innerType];
  }
  return [];
}
