import { expect, test } from '@jest/globals';
import { createSeal } from '@rapport/service/seal';
import { newKey } from '../../libs/service/test/kit.ts';
import { createUnsubscribeUrl, readUnsubscription } from '../src/unsubscribe.ts';

const seal = createSeal([newKey('2026-11')]);
const urlOf = createUnsubscribeUrl(seal, 'https://app.example.org/care');
const tokenOf = (url: string): string => url.split('/').at(-1) ?? '';

test('a link stands for one user and one type, and shows neither', () => {
  const url = urlOf('alice', 'PHQ9_DUE');
  expect(url).toMatch(/^https:\/\/app\.example\.org\/care\/unsubscribe\/2026-11\.[\w-]+$/);
  expect(Buffer.from(tokenOf(url).split('.')[1] ?? '', 'base64url').toString('latin1')).not.toMatch(/alice|PHQ9/);
  expect(readUnsubscription(seal, tokenOf(url))).toEqual({ userId: 'alice', type: 'PHQ9_DUE' });
});

test('nobody else can make one, or change one', () => {
  const token = tokenOf(urlOf('alice', 'NEWS'));
  const changed = `${token.slice(0, -3)}${token.endsWith('AAA') ? 'BBB' : 'AAA'}`;
  const foreign = tokenOf(createUnsubscribeUrl(createSeal([newKey('2026-11')]), 'https://x.example')('alice', 'NEWS'));
  for (const each of [changed, foreign, '', '.', '2026-11.', 'x.y', token.slice(0, 20)]) {
    expect(readUnsubscription(seal, each)).toBeUndefined();
  }
});
