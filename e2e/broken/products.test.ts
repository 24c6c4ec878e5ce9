import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { BROKEN_PRODUCTS } from './products.ts';

const edits = BROKEN_PRODUCTS.flatMap(({ name, edits: all }) => all.map(edit => ({ name, ...edit })));

test.each(edits)('$name: what is broken in $file is there once', ({ file, from }) => {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  expect(text.split(from)).toHaveLength(2);
});
