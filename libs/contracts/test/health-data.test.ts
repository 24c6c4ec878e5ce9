import { describe, expect, test } from '@jest/globals';
import {
  Actor,
  carriesHealthData,
  deliveries,
  facts,
  healthDataFields,
  serviceRequests,
  userRequests,
} from '@rapport/contracts';
import { z } from 'zod';
import { healthData } from '../src/health-data.ts';

const secret = healthData(z.string());
type Wrap = (schema: z.ZodType) => z.ZodType;

interface Tree {
  text: string;
  children: Tree[];
}
const Tree: z.ZodType<Tree> = z.object({ text: secret, children: z.lazy(() => z.array(Tree)) });

describe('a marked field is found', () => {
  test.each<[string, z.ZodType]>([
    ['as it is', secret],
    ['with a further rule', secret.min(1).max(5)],
    ['with a description', secret.meta({ description: 'What was said.' })],
    ['when optional', secret.optional()],
    ['when the optional is marked', healthData(z.string().optional())],
    ['when nullable', secret.nullable()],
    ['when a marked optional is nullable', healthData(z.string().optional()).nullable()],
    ['with a default', secret.default('')],
    ['with a prefault', secret.prefault('')],
    ['with a catch', secret.catch('')],
    ['when read-only', secret.readonly()],
    ['through several of them', secret.optional().nullable().default(null).readonly()],
    ['as the element of a list', z.array(secret)],
    ['as a list', healthData(z.array(z.string()))],
    ['as the value of a record', z.record(z.string(), secret)],
    ['as the key of a record', z.record(secret, z.string())],
    ['as an option of a union', z.union([z.number(), secret])],
    ['in a tuple', z.tuple([z.number(), secret])],
    ['at the end of a tuple', z.tuple([z.number()], secret)],
    ['before a transformation', secret.transform(text => text.length)],
    ['behind a pipe', z.string().pipe(secret)],
    ['behind a preprocessing', z.preprocess(value => value, secret)],
    ['in an intersection', z.intersection(secret, z.string())],
    ['lazily', z.lazy(() => secret)],
  ])('%s', (_, field) => {
    const schema = z.object({ id: z.string(), field });

    expect([...healthDataFields(schema)]).toEqual(['field']);
    expect(carriesHealthData(schema)).toBe(true);
    expect(carriesHealthData(field)).toBe(true);
  });

  test.each<[string, Wrap]>([
    ['in an object in an object', inner => z.object({ outer: inner })],
    ['in a list of objects', inner => z.object({ outer: z.array(inner) })],
    ['in a list that is the whole', inner => z.array(inner)],
    ['in an optional list that may be null', inner => z.object({ outer: z.array(inner).optional().nullable() })],
    ['in a record', inner => z.record(z.string(), inner)],
    ['in a tuple', inner => z.tuple([z.number(), inner])],
    ['in a union', inner => z.union([z.string(), inner])],
    ['in an intersection', inner => z.intersection(inner, z.object({ other: z.string() }))],
    [
      'behind a pipe',
      inner =>
        z
          .string()
          .transform(text => text as unknown)
          .pipe(inner),
    ],
    ['behind a refinement', inner => inner.refine(() => true)],
    ['behind a default', inner => inner.default(undefined)],
  ])('%s', (_, wrap) => {
    const schema = wrap(z.object({ id: z.string(), field: secret }));

    expect([...healthDataFields(schema)]).toEqual(['field']);
    expect(carriesHealthData(schema)).toBe(true);
  });

  test('in each option of a discriminated union', () => {
    const schema = z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('a'), one: secret }),
      z.object({ kind: z.literal('b'), two: secret }),
    ]);

    expect(healthDataFields(schema)).toEqual(new Set(['one', 'two']));
  });

  test('in a schema that contains itself', () => {
    expect(healthDataFields(Tree)).toEqual(new Set(['text']));
  });
});

test('what is not marked is not found, and marking one schema leaves the one it came from alone', () => {
  const plain = z.string();
  const marked = healthData(plain);

  expect(carriesHealthData(z.object({ plain, list: z.array(plain) }))).toBe(false);
  expect(carriesHealthData(marked)).toBe(true);
  expect(healthDataFields(z.object({ outer: z.object({ marked }) }))).toEqual(new Set(['marked']));
});

test('a mark changes nothing of what a schema accepts', () => {
  expect(secret.parse(' a ')).toBe(' a ');
  expect(secret.safeParse(1).success).toBe(false);
});

describe('in the table', () => {
  test.each(Object.entries(facts))('the fact %s carries no health data', (_, { data }) => {
    expect(carriesHealthData(data)).toBe(false);
  });

  test('the content of a message is marked wherever it travels, and so is the name of a person', () => {
    const send = userRequests['message:send'];

    for (const schema of [send.input, send.output, deliveries['message:received'].payload]) {
      expect(healthDataFields(schema)).toEqual(new Set(['content', 'attachment']));
    }
    expect(healthDataFields(Actor)).toEqual(new Set(['name']));
  });

  test('every field of free text is marked, in every request and every delivery', () => {
    const schemas = [
      ...Object.values({ ...userRequests, ...serviceRequests }).flatMap(({ input, output }): z.ZodType[] => [
        input,
        output,
      ]),
      ...Object.values(deliveries).map(({ payload }): z.ZodType => payload),
    ];

    for (const schema of schemas) {
      const names = ['content', 'attachment', 'title', 'message', 'reason', 'name', 'email'];
      const marked = healthDataFields(schema);
      expect(names.filter(name => hasField(schema, name) && !marked.has(name))).toEqual([]);
    }
  });
});

function hasField(schema: z.ZodType, name: string): boolean {
  return schema instanceof z.ZodObject && Object.hasOwn(schema.shape, name);
}
