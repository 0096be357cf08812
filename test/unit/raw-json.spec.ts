// Raw parts of JSON texts: what is cut out parses to what JSON.parse finds there, and keeps its bytes.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rawElements, rawProperty } from '../../src/protocol/raw-json.js';

describe('rawElements', () => {
  it('keeps numbers, escapes and inner blanks as they are written', () => {
    const text = '[ 12345678901234567890 ,1.0,1e400, "\\u00e9\\"],[" , { "a" : [ 1 , 2 ] },\n\tnull ]';
    expect(rawElements(text)).toEqual([
      '12345678901234567890',
      '1.0',
      '1e400',
      '"\\u00e9\\"],["',
      '{ "a" : [ 1 , 2 ] }',
      'null',
    ]);
  });

  it('finds none in an empty array and in anything that is no array', () => {
    for (const text of ['[]', ' [ \n ] ', '{"a":[1,2]}', '"[1,2]"', '12', 'null', '']) {
      expect(rawElements(text), text).toEqual([]);
    }
  });

  it('cuts any array where JSON.parse does', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.integer({ min: 0, max: 3 }), (values, indent) => {
        const text = JSON.stringify(values, null, indent);
        expect(rawElements(text).map((element) => JSON.parse(element) as unknown)).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe('rawProperty', () => {
  it('keeps the bytes of the value', () => {
    const text = '{"a":{"data":1},"data" :\t{ "n" : 1.0,"s":"}\\\\" } ,"z":2}';
    expect(rawProperty(text, 'data')).toBe('{ "n" : 1.0,"s":"}\\\\" }');
    expect(rawProperty(text, 'z')).toBe('2');
  });

  it('takes the last of a key that stands twice, as JSON.parse does', () => {
    expect(rawProperty('{"data":1,"other":2,"data":3.0}', 'data')).toBe('3.0');
  });

  it('reads a key written with escapes', () => {
    expect(rawProperty('{"d\\u0061ta":7}', 'data')).toBe('7');
    expect(rawProperty('{"d\\\\u0061ta":7}', 'data')).toBeUndefined();
  });

  it('is not misled by values that look like keys, nor by keys that lie deeper', () => {
    expect(rawProperty('{"x":"data","y":["data",{"data":1}],"data2":3}', 'data')).toBeUndefined();
    expect(rawProperty('["data",1]', 'data')).toBeUndefined();
    expect(rawProperty('[0,"data",1]', 'data')).toBeUndefined();
    expect(rawProperty('"data"', 'data')).toBeUndefined();
    expect(rawProperty('{}', 'data')).toBeUndefined();
  });

  it('finds keys named as parts of Object.prototype', () => {
    const text = '{"__proto__":[1.0],"constructor":2e0}';
    expect(rawProperty(text, '__proto__')).toBe('[1.0]');
    expect(rawProperty(text, 'constructor')).toBe('2e0');
    expect(rawProperty(text, 'toString')).toBeUndefined();
  });

  it('ends on text that is no JSON', () => {
    for (const text of ['{"data":"open', '{"data"', '{', '}}}}', '{"data":1', '\\"', '[{]"']) {
      expect(() => rawProperty(text, 'data'), text).not.toThrow();
    }
  });

  it('finds any key of any object where JSON.parse does', () => {
    const objects = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(objects, fc.integer({ min: 0, max: 3 }), (object, indent) => {
        const text = JSON.stringify(object, null, indent);
        for (const [key, value] of Object.entries(JSON.parse(text) as Record<string, unknown>)) {
          expect(JSON.parse(rawProperty(text, key) ?? '') as unknown).toEqual(value);
        }
      }),
    );
  });
});
