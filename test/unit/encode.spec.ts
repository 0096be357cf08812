// Encoding for the wire: JSON that reads back as what was meant, with payload text embedded untouched.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeError,
  encodeMessage,
  encodeOk,
  encodePush,
  encodePushData,
} from '../../src/protocol/encode.js';
import type { CommandResult, Push } from '../../src/protocol/frames.js';
import { isChannelName, isEventName, isKey } from '../../src/protocol/names.js';
import type { Publication } from '../../src/protocol/publication.js';
import { jsonText } from '../support/json-text.js';

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,16}$/);
const offset = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const channel = fc.oneof(text.filter(isChannelName), fc.constantFrom('__proto__', 'a:b'));
const event = fc.oneof(text.filter(isEventName), fc.constant('__proto__'));
const label = fc.option(fc.string({ unit: 'binary' }), { nil: undefined });
const publication: fc.Arbitrary<Publication> = fc.record({
  offset,
  id: token,
  event,
  data: jsonText,
  from: fc.option(fc.record({ user: text, name: label }), { nil: undefined }),
  time: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  key: fc.option(text.filter(isKey), { nil: undefined }),
});
const member = fc.record({ user: text, name: label, connections: fc.nat(), since: fc.nat() });

const read = (json: string): unknown => JSON.parse(json);
/** What a client should get: absent fields are absent, payloads are values. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function asMessage(name: string, { offset: at, data, ...rest }: Publication): unknown {
  const head = plain({ channel: name, ...(at > 0 ? { offset: at } : {}), ...rest }) as object;
  return { ...head, data: read(data) };
}

describe('encode', () => {
  it('makes a message that reads back as its publication', () => {
    fc.assert(
      fc.property(channel, publication, (name, one) => {
        const expected = asMessage(name, one);
        expect(read(encodeMessage(name, one))).toEqual(expected);
        const push = { type: 'message', channel: name, epoch: 'e', publication: one } as const;
        expect(read(encodePush(push))).toEqual({ event: 'message', data: expected });
        expect(encodePushData(push)).toBe(encodeMessage(name, one));
      }),
    );
  });

  it('embeds payload text as it is', () => {
    fc.assert(
      fc.property(channel, publication, (name, one) => {
        expect(encodeMessage(name, one)).toContain(`"data":${one.data}`);
      }),
    );
    const push: Push = { type: 'custom', event: 'mine', data: '{ "a": 1.0 }' };
    expect(encodePush(push)).toBe('{"event":"mine","data":{ "a": 1.0 }}');
    expect(encodePushData(push)).toBe('{ "a": 1.0 }');
  });

  it('makes a subscribe reply that reads back as its result', () => {
    const result = fc.record({
      channel,
      epoch: token,
      offset,
      id: fc.oneof(token, fc.constant('')),
      recoverable: fc.boolean(),
      recovered: fc.boolean(),
      reason: fc.option(fc.constantFrom('expired', 'too_many'), { nil: undefined }),
      messages: fc.array(publication, { maxLength: 3 }),
      members: fc.option(fc.array(member, { maxLength: 3 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(result, fc.oneof(fc.integer(), text), (one, id) => {
        const messages = one.messages.map((message) => asMessage(one.channel, message));
        const data = { ...(plain(one) as object), messages };
        expect(read(encodeOk(id, { type: 'subscribe', result: one }))).toEqual({ event: 'ok', id, data });
        expect(read(encodePush({ type: 'subscribed', result: one }))).toEqual({ event: 'subscribed', data });
      }),
    );
  });

  const at = { channel: 'c"\\', epoch: 'e', offset: 3, id: 'i' };
  it.each<[CommandResult, object]>([
    [
      { type: 'authenticate', user: 'a"b', expiresAt: 5 },
      { user: 'a"b', expiresAt: 5 },
    ],
    [{ type: 'unsubscribe', channel: 'c"' }, { channel: 'c"' }],
    [
      { type: 'publish', result: { ...at, duplicate: true } },
      { ...at, duplicate: true },
    ],
    [
      { type: 'history', result: { ...at, messages: [] } },
      { ...at, messages: [] },
    ],
    [
      { type: 'presence', channel: 'c', members: [{ user: 'u', name: undefined, connections: 1, since: 2 }] },
      { channel: 'c', members: [{ user: 'u', connections: 1, since: 2 }] },
    ],
    [{ type: 'ping', time: 9 }, { time: 9 }],
    [{ type: 'custom', data: '[1]' }, [1]],
  ])('replies to %j', (result, data) => {
    expect(read(encodeOk(1, result))).toEqual({ event: 'ok', id: 1, data });
    expect(read(encodeOk('a"', result))).toEqual({ event: 'ok', id: 'a"', data });
    expect(read(encodeOk(undefined, result))).toEqual({ event: 'ok', data });
  });

  it.each<[Push, object]>([
    [
      { type: 'welcome', session: 's', user: undefined, heartbeatMs: 1, version: 1, instance: undefined },
      { session: 's', heartbeatMs: 1, version: 1 },
    ],
    [
      { type: 'join', channel: 'c', member: { user: 'u', name: 'n"', connections: 1, since: 2 } },
      { channel: 'c', member: { user: 'u', name: 'n"', connections: 1, since: 2 } },
    ],
    [
      { type: 'gap', channel: 'c', epoch: 'e', from: 1, to: 2, count: 2, reason: 'conflated' },
      { channel: 'c', epoch: 'e', from: 1, to: 2, count: 2, reason: 'conflated' },
    ],
    [
      { type: 'unsubscribed', channel: 'c', code: 'forbidden', message: 'm"' },
      { channel: 'c', code: 'forbidden', message: 'm"' },
    ],
    [{ type: 'expiring', expiresAt: 4 }, { expiresAt: 4 }],
    [
      { type: 'reconnect', afterMs: 4, reason: 'drain' },
      { afterMs: 4, reason: 'drain' },
    ],
  ])('pushes %j', (push, data) => {
    expect(read(encodePush(push))).toEqual({ event: push.type, data });
    expect(read(encodePushData(push))).toEqual(data);
  });

  it('answers an error with and without an id', () => {
    const error = {
      code: 'invalid_data',
      message: 'a "b"',
      retry: false,
      details: [{ path: 'x', message: 'y' }],
    } as const;
    expect(read(encodeError('7', error))).toEqual({ event: 'error', id: '7', data: error });
    expect(read(encodeError(undefined, error))).toEqual({ event: 'error', data: error });
  });
});
