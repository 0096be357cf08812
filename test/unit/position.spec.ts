// Positions: text and JSON forms there and back, and refusal of everything else.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPosition, parsePosition, readPosition, type Position } from '../../src/protocol/position.js';

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

export const anyPosition: fc.Arbitrary<Position> = fc.record({
  epoch: token,
  offset: fc.oneof(
    fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER),
  ),
  id: fc.oneof(token, fc.constant('')),
});

describe('position', () => {
  it('comes back from its text', () => {
    fc.assert(
      fc.property(anyPosition, (position) => {
        expect(parsePosition(formatPosition(position))).toEqual(position);
      }),
    );
  });

  it('comes back from its JSON', () => {
    fc.assert(
      fc.property(anyPosition, (position) => {
        expect(readPosition(JSON.parse(JSON.stringify(position)))).toEqual(position);
      }),
    );
  });

  it('prints what it parsed, so that one place has one text', () => {
    const digits = fc.stringMatching(/^[0-9]{1,17}$/);
    fc.assert(
      fc.property(token, digits, fc.constantFrom('', '.', '.id', '.a.b'), (epoch, offset, rest) => {
        const text = `${epoch}.${offset}${rest}`;
        const position = parsePosition(text);
        if (position === undefined) return;
        expect([formatPosition(position), formatPosition(position).slice(0, -1)]).toContain(text);
      }),
    );
  });

  it('never throws, whatever it is given', () => {
    fc.assert(fc.property(fc.anything(), (value) => void readPosition(value)));
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parsePosition(text)));
  });

  it.each([
    ['', 'empty'],
    ['epoch', 'no offset'],
    ['epoch.', 'empty offset'],
    ['.1.id', 'empty epoch'],
    ['epoch.-1.id', 'below 0'],
    ['epoch.01.id', 'leading zero'],
    ['epoch.1.5.id', 'a fraction'],
    ['epoch.1e3.id', 'an exponent'],
    ['epoch.9007199254740992.id', '2^53'],
    ['epoch.99999999999999999.id', 'more than 16 digits'],
    ['epoch.abc.id', 'letters'],
    ['epo ch.1.id', 'a space in the epoch'],
    ['epoch.1.i/d', 'a slash in the id'],
    [`${'e'.repeat(65)}.1.id`, 'a long epoch'],
    [`epoch.1.${'i'.repeat(65)}`, 'a long id'],
    ['epoch.1.id.more', 'a fourth part'],
  ])('refuses the text %j: %s', (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });

  it.each([
    [null],
    ['epoch.1.id'],
    [{ epoch: 'e', offset: -1 }],
    [{ epoch: 'e', offset: 2 ** 53 }],
    [{ epoch: 'e', offset: 1.5 }],
    [{ epoch: 'e', offset: '1' }],
    [{ epoch: 'e', offset: NaN }],
    [{ epoch: '', offset: 1 }],
    [{ epoch: 7, offset: 1 }],
    [{ offset: 1 }],
    [{ epoch: 'e' }],
    [{ epoch: 'e', offset: 1, id: 7 }],
    [{ epoch: 'e', offset: 1, id: null }],
    [{ epoch: 'e', offset: 1, id: 'a b' }],
  ])('refuses the value %j', (value) => {
    expect(readPosition(value)).toBeUndefined();
  });

  it('takes a position without an id', () => {
    expect(readPosition({ epoch: 'e', offset: 3 })).toEqual({ epoch: 'e', offset: 3, id: '' });
    expect(parsePosition('e.3')).toEqual({ epoch: 'e', offset: 3, id: '' });
    expect(parsePosition('e.3.')).toEqual({ epoch: 'e', offset: 3, id: '' });
  });
});
