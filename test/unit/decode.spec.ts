// Decoding client frames: every text gets a command or a coded error, and payload text stays as it was.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/protocol/codes.js';
import { decodeFrame, errorBody, MAX_DEPTH, RESERVED_EVENTS } from '../../src/protocol/decode.js';
import type { Command, Decoded } from '../../src/protocol/frames.js';
import { depthOf, jsonText, objectText, spelled, stringText } from '../support/json-text.js';

function command(text: string | object): Command {
  const decoded = decodeFrame(typeof text === 'string' ? text : JSON.stringify(text));
  if (!decoded.ok) throw new Error(`Refused: ${JSON.stringify(decoded)}`);
  return decoded.command;
}

function refusal(text: string | object): Extract<Decoded, { ok: false }> {
  const decoded = decodeFrame(typeof text === 'string' ? text : JSON.stringify(text));
  if (decoded.ok) throw new Error(`Taken: ${JSON.stringify(decoded)}`);
  return decoded;
}

function wellFormed(decoded: Decoded): void {
  if (decoded.ok) return;
  expect(['invalid_frame', 'invalid_data']).toContain(decoded.error.code);
  expect(decoded.error.message.length).toBeGreaterThan(0);
  expect(decoded.error.retry).toBe(false);
}

const frameKey = fc.oneof(
  fc.constantFrom('"event"', '"id"', '"data"', '"__proto__"', '"constructor"'),
  fc.constantFrom('event', 'id', 'data').chain(spelled),
  stringText,
);
const eventText = fc.oneof(
  fc.constantFrom(...RESERVED_EVENTS, 'custom', '__proto__').map((name) => `"${name}"`),
  jsonText,
);
const anyFrame = fc
  .array(fc.record({ key: frameKey, value: fc.oneof(eventText, jsonText) }), { maxLength: 5 })
  .chain(objectText);

describe('decode', () => {
  it('answers any text at all, and never throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => wellFormed(decodeFrame(text))));
    fc.assert(fc.property(jsonText, (text) => wellFormed(decodeFrame(text))));
  });

  it('answers any object, and any part of it', () => {
    fc.assert(
      fc.property(anyFrame, fc.double({ min: 0, max: 1, noNaN: true }), (text, share) => {
        wellFormed(decodeFrame(text));
        wellFormed(decodeFrame(text.slice(0, Math.floor(text.length * share))));
      }),
      { numRuns: 1000 },
    );
  });

  it('sees in a frame what JSON.parse sees: the last of equal keys, in any spelling', () => {
    const members = fc.array(fc.record({ key: frameKey, value: fc.oneof(eventText, jsonText) }), {
      maxLength: 4,
    });
    const custom = members.chain((some) =>
      objectText([...some, { key: '"event"', value: '"custom"' }, { key: '"id"', value: '7' }]),
    );
    fc.assert(
      fc.property(custom, (text) => {
        const parsed = JSON.parse(text) as { data?: unknown };
        const isObject =
          typeof parsed.data === 'object' && parsed.data !== null && !Array.isArray(parsed.data);
        const decoded = decodeFrame(text);
        expect(decoded.ok).toBe((parsed.data === undefined || isObject) && depthOf(text) <= MAX_DEPTH);
        if (!decoded.ok || decoded.command.type !== 'custom') return;
        expect(JSON.parse(decoded.command.data)).toEqual(parsed.data ?? {});
        expect(text).toContain(decoded.command.data === '{}' ? '' : decoded.command.data);
      }),
      { numRuns: 500 },
    );
  });

  it('hands the payload of a publish on byte for byte', () => {
    const publish = jsonText
      .filter((payload) => depthOf(payload) <= MAX_DEPTH - 2)
      .chain((payload) => {
        const data = [
          { key: '"data"', value: '{"older":1}' },
          { key: '"channel"', value: '"chat:1"' },
          { key: '"data"', value: payload },
          { key: '"event"', value: '"note"' },
        ];
        return objectText(data)
          .chain((text) =>
            objectText([
              { key: '"data"', value: '{"data":0}' },
              { key: '"event"', value: '"publish"' },
              { key: '"data"', value: text },
            ]),
          )
          .map((text) => ({ text, payload }));
      });
    fc.assert(
      fc.property(publish, ({ text, payload }) => {
        expect(command(text)).toEqual({
          type: 'publish',
          channel: 'chat:1',
          event: 'note',
          data: payload,
          key: undefined,
          idempotencyKey: undefined,
          echo: true,
        });
      }),
      { numRuns: 500 },
    );
  });

  it('takes no payload from an earlier `data` that a later one replaced', () => {
    const text = '{"event":"publish","data":{"data":"old"},"data":{"channel":"c","event":"e"}}';
    expect(command(text)).toMatchObject({ data: 'null' });
    expect(refusal('{"event":"x","data":{"data":1},"data":5}').error.code).toBe('invalid_frame');
  });

  it('keeps no large frame in memory for a small payload', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const kept: Command[] = [];
    const padding = 'x'.repeat(60_000);
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 300; i++) {
      const data = { channel: 'c', event: 'e', data: `payload number ${i}` };
      kept.push(command(Buffer.from(JSON.stringify({ event: 'publish', data, padding })).toString()));
    }
    collect();
    expect(kept).toHaveLength(300);
    expect((process.memoryUsage().heapUsed - before) / kept.length, 'bytes for each').toBeLessThan(10_000);
  });

  it('takes frames of the greatest depth and refuses deeper ones', () => {
    const nested = (levels: number) =>
      `{"event":"x","data":{"a":${'['.repeat(levels - 2)}${']'.repeat(levels - 2)}}}`;
    expect(command(nested(MAX_DEPTH)).type).toBe('custom');
    expect(refusal(nested(MAX_DEPTH + 1)).error.code).toBe('invalid_frame');
    expect(refusal('['.repeat(100_000)).error.code).toBe('invalid_frame');
  });

  it.each([
    ['', 'nothing'],
    ['{', 'a beginning'],
    ['nope', 'no JSON'],
    ['1', 'a number'],
    ['"event"', 'a string'],
    ['null', 'null'],
    ['[{"event":"ping"}]', 'an array'],
    ['{"event":"ping"} {"event":"ping"}', 'two frames'],
    ['{}', 'no event'],
    ['{"event":""}', 'an empty event'],
    ['{"event":null}', 'event null'],
    ['{"event":7}', 'event a number'],
    ['{"event":"a b"}', 'a space in the event'],
    ['{"event":"a\\u0000b"}', 'a control character in the event'],
    [`{"event":"${'e'.repeat(65)}"}`, 'a long event'],
    ['{"event":"ping","data":null}', 'data null'],
    ['{"event":"ping","data":[]}', 'data an array'],
    ['{"event":"ping","data":"x"}', 'data a string'],
  ])('refuses %s as invalid_frame: %s', (text) => {
    expect(refusal(text)).toMatchObject({ id: undefined, error: { code: 'invalid_frame', retry: false } });
  });

  it.each([[null], [''], ['x'.repeat(65)], [1.5], [2 ** 53], [true], [{}], [[]]])(
    'refuses the id %j',
    (id) => {
      expect(refusal({ event: 'ping', id })).toMatchObject({
        id: undefined,
        error: { code: 'invalid_frame' },
      });
    },
  );

  it.each([[0], [-1], [Number.MAX_SAFE_INTEGER], ['a'], ['x'.repeat(64)], ['__proto__']])(
    'gives the id %j back',
    (id) => {
      expect(decodeFrame(JSON.stringify({ event: 'ping', id }))).toEqual({
        ok: true,
        id,
        command: { type: 'ping' },
      });
      const bad = decodeFrame(JSON.stringify({ event: 'subscribe', id }));
      expect(bad).toMatchObject({ ok: false, id, error: { code: 'invalid_data' } });
    },
  );

  describe('reads', () => {
    const since = { epoch: 'e', offset: 3, id: 'i' };
    const position = { epoch: 'e', offset: 3, id: 'i' };
    const publish = { channel: 'c', event: 'e' };
    it.each<[string, object, Command]>([
      ['authenticate', { token: 't' }, { type: 'authenticate', token: 't' }],
      ['authenticate', { token: 't'.repeat(8192) }, { type: 'authenticate', token: 't'.repeat(8192) }],
      ['subscribe', { channel: 'c' }, { type: 'subscribe', channel: 'c', since: undefined, presence: false }],
      [
        'subscribe',
        { channel: 'c', since, presence: true },
        { type: 'subscribe', channel: 'c', since: position, presence: true },
      ],
      [
        'subscribe',
        { channel: 'c', since: null, presence: null },
        { type: 'subscribe', channel: 'c', since: undefined, presence: false },
      ],
      ['unsubscribe', { channel: '__proto__' }, { type: 'unsubscribe', channel: '__proto__' }],
      [
        'publish',
        { ...publish, data: [1, { a: 2 }], key: 'k', idempotencyKey: 'i 1', echo: false },
        { type: 'publish', ...publish, data: '[1,{"a":2}]', key: 'k', idempotencyKey: 'i 1', echo: false },
      ],
      [
        'publish',
        publish,
        { type: 'publish', ...publish, data: 'null', key: undefined, idempotencyKey: undefined, echo: true },
      ],
      [
        'history',
        { channel: 'c' },
        { type: 'history', channel: 'c', since: undefined, limit: 300, reverse: false },
      ],
      [
        'history',
        { channel: 'c', since, limit: 1, reverse: true },
        { type: 'history', channel: 'c', since: position, limit: 1, reverse: true },
      ],
      ['presence', { channel: 'c' }, { type: 'presence', channel: 'c' }],
      ['ping', {}, { type: 'ping' }],
      ['ping', { what: 'ever' }, { type: 'ping' }],
      ['my.event', { a: 1 }, { type: 'custom', event: 'my.event', data: '{"a":1}' }],
      ['__proto__', {}, { type: 'custom', event: '__proto__', data: '{}' }],
      ['toString', {}, { type: 'custom', event: 'toString', data: '{}' }],
    ])('%s %j', (event, data, expected) => {
      expect(command({ event, data })).toEqual(expected);
    });

    it('a frame without data as one with an empty object', () => {
      expect(command({ event: 'ping' })).toEqual({ type: 'ping' });
      expect(command({ event: 'own' })).toEqual({ type: 'custom', event: 'own', data: '{}' });
      expect(refusal({ event: 'subscribe' }).error.code).toBe('invalid_data');
    });

    it('all commands there are, and lists their names as reserved', () => {
      const types = ['authenticate', 'history', 'ping', 'presence', 'publish', 'subscribe', 'unsubscribe'];
      expect([...RESERVED_EVENTS].toSorted()).toEqual(types);
    });
  });

  describe('names what is wrong with', () => {
    it.each<[string, object, string[]]>([
      ['authenticate', {}, ['token']],
      ['authenticate', { token: '' }, ['token']],
      ['authenticate', { token: 't'.repeat(8193) }, ['token']],
      ['authenticate', { token: { t: 1 } }, ['token']],
      ['subscribe', {}, ['channel']],
      ['subscribe', { channel: 'a b' }, ['channel']],
      ['subscribe', { channel: 'c'.repeat(201) }, ['channel']],
      ['subscribe', { channel: 'a{b}' }, ['channel']],
      ['subscribe', { channel: 'a*' }, ['channel']],
      ['subscribe', { channel: 'a\u202eb' }, ['channel']],
      ['subscribe', { channel: 'a\ud800' }, ['channel']],
      ['subscribe', { channel: ['c'] }, ['channel']],
      ['subscribe', { channel: 'c', since: { epoch: 'e', offset: -1 } }, ['since']],
      ['subscribe', { channel: 'c', since: { epoch: 'e', offset: 2 ** 53 } }, ['since']],
      ['subscribe', { channel: 'c', since: { epoch: 'e', offset: 'abc' } }, ['since']],
      ['subscribe', { channel: 'c', since: 'e.1.i' }, ['since']],
      ['subscribe', { channel: 'c', presence: 1 }, ['presence']],
      ['unsubscribe', {}, ['channel']],
      ['publish', {}, ['event', 'channel']],
      ['publish', { channel: 'c', event: 'a b' }, ['event']],
      ['publish', { channel: 'c', event: 'e', key: '' }, ['key']],
      ['publish', { channel: 'c', event: 'e', key: 7 }, ['key']],
      ['publish', { channel: 'c', event: 'e', idempotencyKey: 'k'.repeat(129) }, ['idempotencyKey']],
      ['publish', { channel: 'c', event: 'e', idempotencyKey: 'a\nb' }, ['idempotencyKey']],
      ['publish', { channel: 'c', event: 'e', echo: 'no' }, ['echo']],
      ['history', { channel: 'c', limit: 0 }, ['limit']],
      ['history', { channel: 'c', limit: 301 }, ['limit']],
      ['history', { channel: 'c', limit: 1.5 }, ['limit']],
      ['history', { channel: 'c', limit: '10' }, ['limit']],
      ['history', { since: 1, reverse: 'yes' }, ['channel', 'since', 'reverse']],
      ['presence', { channel: 7 }, ['channel']],
    ])('%s %j', (event, data, paths) => {
      const { error } = refusal({ event, data });
      expect(error.code).toBe('invalid_data');
      expect(error.details?.map(({ path }) => path)).toEqual(paths);
      expect(error.message).toContain(`"${paths[0]}"`);
    });
  });

  it('marks each error as worth a retry or not, as its table says', () => {
    for (const [code, { retry }] of Object.entries(ERRORS)) {
      expect(errorBody(code as keyof typeof ERRORS, 'm')).toEqual({ code, message: 'm', retry });
    }
    expect(errorBody('rate_limited', 'm', { retryAfterMs: 5 }).retryAfterMs).toBe(5);
  });
});
