// Channel patterns: what they match, what they take out, and which of two is narrower.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareSpecificity,
  parseChannelPattern,
  type ChannelPattern,
} from '../../src/protocol/channel-pattern.js';

const word = fc.constantFrom('chat', 'a', 'b', 'room-1', 'ünï', '__proto__');
const param = fc.constantFrom('{x}', '{y}', '{z}');
const pattern = fc
  .tuple(fc.array(fc.oneof(word, param), { minLength: 1, maxLength: 4 }), fc.boolean())
  .filter(
    ([parts]) =>
      new Set(parts.filter((part) => part.startsWith('{'))).size ===
      parts.filter((part) => part.startsWith('{')).length,
  )
  .map(([parts, open]) => parseChannelPattern([...parts, ...(open ? ['*'] : [])].join(':')));
const channel = fc.array(word, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(':'));

/** The rules once more, in the plainest words. */
function matches(text: string, name: string): boolean {
  const source = text
    .split(':')
    .map((part) => (part === '*' ? '.+' : part.startsWith('{') ? '[^:]+' : part))
    .join(':');
  return new RegExp(`^${source}$`, 'u').test(name);
}

describe('channel pattern', () => {
  it('matches what its text says', () => {
    fc.assert(
      fc.property(pattern, channel, (parsed, name) => {
        expect(parsed.match(name) !== undefined).toBe(matches(parsed.text, name));
      }),
      { numRuns: 1000 },
    );
  });

  it('puts its parameters back into the name it matched', () => {
    fc.assert(
      fc.property(pattern, channel, (parsed, name) => {
        const params = parsed.match(name);
        if (params === undefined) return;
        expect([...params.keys()]).toEqual([...parsed.params]);
        const parts = parsed.text.split(':').map((part) => params.get(part.slice(1, -1)) ?? part);
        const rest = parts.at(-1) === '*' ? name.split(':').slice(parts.length - 1) : parts.slice(-1);
        expect([...parts.slice(0, -1), ...rest].join(':')).toBe(name);
      }),
      { numRuns: 1000 },
    );
  });

  it('is put in one order with any other: never both narrower, and none lost between three', () => {
    const sign = (a: ChannelPattern, b: ChannelPattern): number => Math.sign(compareSpecificity(a, b));
    fc.assert(
      fc.property(pattern, pattern, pattern, (a, b, c) => {
        expect(sign(a, b) + sign(b, a)).toBe(0);
        expect(sign(a, a)).toBe(0);
        if (sign(a, b) <= 0 && sign(b, c) <= 0) expect(sign(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['chat:lobby', 'chat:{room}'],
    ['chat:{room}', 'chat:*'],
    ['chat:{room}', '{kind}:lobby'],
    ['chat:*', '{kind}:lobby'],
    ['chat:{room}:typing', 'chat:*'],
    ['chat:{room}:*', 'chat:*'],
    ['{a}:{b}', '*'],
    ['a:b:*', 'a:{x}:c'],
  ])('takes %s before %s', (narrow, wide) => {
    const [a, b] = [parseChannelPattern(narrow), parseChannelPattern(wide)];
    expect(compareSpecificity(a, b)).toBeLessThan(0);
    expect(compareSpecificity(b, a)).toBeGreaterThan(0);
  });

  it('holds two patterns that differ in names of parameters only for equal', () => {
    expect(compareSpecificity(parseChannelPattern('chat:{a}'), parseChannelPattern('chat:{b}'))).toBe(0);
  });

  it.each([
    ['chat:{room}', 'chat:42', [['room', '42']]],
    ['chat:{room}', 'chat:__proto__', [['room', '__proto__']]],
    [
      '{a}:x:{b}',
      '1:x:2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['orders:*', 'orders:7:lines:2', []],
    ['orders:{id}:*', 'orders:7:lines:2', [['id', '7']]],
    ['*', 'anything', []],
  ])('%s matches %s', (text, name, params) => {
    expect([...(parseChannelPattern(text).match(name) ?? [])]).toEqual(params);
    expect(parseChannelPattern(text).match(name)).toBeDefined();
  });

  it.each([
    ['chat:{room}', 'chat'],
    ['chat:{room}', 'chat:'],
    ['chat:{room}', 'chat:a:b'],
    ['chat:{room}', 'Chat:a'],
    ['chat:{room}', 'xchat:a'],
    ['orders:*', 'orders'],
    ['orders:*', 'orders:'],
    ['orders:*', 'orders::a'],
    ['a.c', 'abc'],
  ])('%s does not match %s', (text, name) => {
    expect(parseChannelPattern(text).match(name)).toBeUndefined();
  });

  it.each([
    '',
    ':',
    'a:',
    ':a',
    'a::b',
    'a:*:b',
    '*:a',
    'a*',
    'a:{x',
    'a:{}',
    'a:{1x}',
    'a:{x}y',
    '{x}:{x}',
    'a b',
    'a:\n',
    'a:"',
  ])('refuses the pattern %j with a sentence', (text) => {
    expect(() => parseChannelPattern(text)).toThrow(/^(A channel|Channel) pattern .*\.$/s);
  });
});
