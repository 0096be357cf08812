// Cursors: positions of many channels in one text that is safe in a header, a URL and an SSE line.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor, MAX_CURSOR_LENGTH } from '../../src/protocol/cursor.js';
import { isChannelName } from '../../src/protocol/names.js';
import type { Position } from '../../src/protocol/position.js';

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const position: fc.Arbitrary<Position> = fc.record({
  epoch: token,
  offset: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  id: fc.oneof(token, fc.constant('')),
});
const signs = fc.constantFrom(
  '~',
  '!',
  '.',
  '%',
  "'",
  '(',
  ')',
  '-',
  '_',
  ':',
  '/',
  '?',
  '&',
  '=',
  '+',
  '#',
  ';',
  ',',
);
const channel = fc
  .array(fc.oneof(signs, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 })), {
    minLength: 1,
    maxLength: 12,
  })
  .map((parts) => parts.join(''))
  .filter(isChannelName);
const cursor = fc.uniqueArray(fc.tuple(channel, position), { maxLength: 12, selector: ([name]) => name });

describe('cursor', () => {
  it('comes back from its text, in order', () => {
    fc.assert(
      fc.property(cursor, (entries) => {
        const text = encodeCursor(new Map(entries));
        fc.pre(text.length <= MAX_CURSOR_LENGTH);
        expect([...(decodeCursor(text) ?? [])]).toEqual(entries);
      }),
    );
  });

  it('is made of letters, digits and -_.~!% only', () => {
    fc.assert(
      fc.property(cursor, (entries) => {
        expect(encodeCursor(new Map(entries))).toMatch(/^[A-Za-z0-9\-_.~!%]*$/);
      }),
    );
  });

  it('never throws on a text from outside', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void decodeCursor(text)));
    const parts = fc.array(fc.oneof(signs, token, fc.constantFrom('%zz', '%ff', '%', '1~')), {
      maxLength: 20,
    });
    fc.assert(fc.property(parts, (texts) => void decodeCursor(`1~${texts.join('')}`)));
  });

  it('may hold no channel', () => {
    expect(encodeCursor(new Map())).toBe('1~');
    expect(decodeCursor('1~')).toEqual(new Map());
  });

  it.each([
    ['', 'empty'],
    ['2~chat!e.1.a', 'another version'],
    ['chat!e.1.a', 'no version'],
    ['1~chat', 'no position'],
    ['1~chat!', 'an empty position'],
    ['1~!e.1.a', 'an empty name'],
    ['1~chat!e.-1.a', 'a bad offset'],
    ['1~chat!e.1.a~', 'an empty entry'],
    ['1~chat!e.1.a~chat!e.2.b', 'a channel twice'],
    ['1~%63hat!e.1.a~chat!e.2.b', 'a channel twice in two spellings'],
    ['1~a%0Ab!e.1.a', 'a name with a control character'],
    ['1~%zz!e.1.a', 'a broken escape'],
    [`1~${'a'.repeat(201)}!e.1.a`, 'a long name'],
    [`1~chat!e.1.a${'~'.repeat(MAX_CURSOR_LENGTH)}`, 'more than the limit'],
  ])('refuses %j: %s', (text) => {
    expect(decodeCursor(text)).toBeUndefined();
  });

  it('fits 128 channels of ordinary names', () => {
    const entries = Array.from({ length: 128 }, (_, i) => {
      return [
        `chat:room-${i}`,
        { epoch: 'x'.repeat(12), offset: 1_000_000 + i, id: 'y'.repeat(11) },
      ] as const;
    });
    const text = encodeCursor(new Map(entries));
    expect(text.length).toBeLessThanOrEqual(MAX_CURSOR_LENGTH);
    expect([...(decodeCursor(text) ?? [])]).toEqual(entries);
  });
});
