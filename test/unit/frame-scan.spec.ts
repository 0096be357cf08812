// The scanner in front of JSON.parse: spans that are the original text, and depth, for any JSON there is.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scanFrame } from '../../src/protocol/frame-scan.js';
import { depthOf, jsonText, objectText, spelled, stringText, type Member } from '../support/json-text.js';

const DEEP = 1000;

/** Any member; one in three has the key `data` in some spelling. */
function member(value: fc.Arbitrary<string>): fc.Arbitrary<Member> {
  const key = fc.oneof(
    stringText,
    fc.constantFrom('"event"', '"id"', '"Data"', '"data "'),
    fc.constant('"data"'),
    spelled('data'),
  );
  return fc.record({ key, value });
}

const isData = ({ key }: Member): boolean => JSON.parse(key) === 'data';

describe('frame scan', () => {
  it('gives the text of the last `data` of a frame, exactly', () => {
    const frames = fc
      .array(member(jsonText), { maxLength: 5 })
      .chain((members) => objectText(members).map((text) => ({ text, members })));
    fc.assert(
      fc.property(frames, ({ text, members }) => {
        expect(scanFrame(text, DEEP)?.data).toBe(members.findLast(isData)?.value);
      }),
      { numRuns: 500 },
    );
  });

  it('gives the text of the last `data` within the last `data`, exactly', () => {
    const inner = fc
      .array(member(jsonText), { maxLength: 4 })
      .chain((members) => objectText(members).map((text) => ({ text, members })));
    const frames = fc.array(inner, { minLength: 1, maxLength: 2 }).chain((inners) => {
      const members = inners.map(({ text }) => ({ key: '"data"', value: text }));
      return objectText([{ key: '"event"', value: '"{"' }, ...members]).map((text) => ({
        text,
        payload: inners.at(-1)?.members.findLast(isData)?.value,
      }));
    });
    fc.assert(
      fc.property(frames, ({ text, payload }) => {
        expect(scanFrame(text, DEEP)?.payload).toBe(payload);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses exactly what nests deeper than it may', () => {
    fc.assert(
      fc.property(jsonText, fc.integer({ min: 0, max: 8 }), (text, most) => {
        expect(scanFrame(text, most) === undefined).toBe(depthOf(text) > most);
      }),
      { numRuns: 500 },
    );
  });

  it('takes any text at all', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.integer({ min: 1, max: 32 }),
        (text, most) => {
          scanFrame(text, most);
        },
      ),
    );
    const signs = fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', 'data', '"data"', ' ');
    fc.assert(
      fc.property(fc.array(signs, { maxLength: 40 }), (parts) => {
        scanFrame(parts.join(''), 16);
      }),
      { numRuns: 500 },
    );
  });

  it('has no payload when `data` is no object, nor for objects elsewhere', () => {
    expect(scanFrame('{"data":[{"data":1}]}', DEEP)).toEqual({ data: '[{"data":1}]', payload: undefined });
    expect(scanFrame('{"x":{"data":1},"data":"data"}', DEEP)).toEqual({ data: '"data"', payload: undefined });
    expect(scanFrame('[{"data":{"data":1}}]', DEEP)).toEqual({ data: undefined, payload: undefined });
    expect(scanFrame('{"data":{"x":{"data":1}}}', DEEP)?.payload).toBeUndefined();
  });

  it('walks a megabyte of brackets or backslashes in one pass', () => {
    const size = 1_000_000;
    const started = performance.now();
    expect(scanFrame('['.repeat(size), 32)).toBeUndefined();
    expect(scanFrame(`["${'\\\\'.repeat(size / 2)}"]`, 32)).toBeDefined();
    expect(scanFrame(`["${'\\"'.repeat(size / 2)}"]`, 32)).toBeDefined();
    expect(scanFrame(`["${'\\\\'.repeat(size / 2)}`, 32)).toBeDefined();
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
