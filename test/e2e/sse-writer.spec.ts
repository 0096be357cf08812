// Nothing that users send can break a line of an event stream: random strings through the server come out of a strict parser as they went in.

import { createParser } from 'eventsource-parser';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BACKEND } from '../../src/core/identity.js';
import { isChannelName, isEventName, isKey } from '../../src/protocol/names.js';
import { SSE_EVENTS } from '../../src/transports/sse/sse.format.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { jsonText } from '../support/json-text.js';
import { disposeStreams, openSse } from '../support/sse-client.js';

const SEED = 20_264;
const RUNS = 300;

/** Text that means something to a parser of events, anywhere in a string. */
const LURES = [
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  '\0',
  'data: x',
  'id: 1',
  'event: close',
  'retry: 1',
  ': c',
  '\u2028',
  '\u2029',
  '\u0085',
  '\ufeff',
  ':',
  ' ',
];
const nasty = fc
  .array(fc.oneof(fc.constantFrom(...LURES), fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 12 })
  .map((parts) => parts.join(''));
const nastyName = (valid: (text: unknown) => boolean): fc.Arbitrary<string> =>
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(valid);

interface Parsed {
  readonly event: string | undefined;
  readonly id: string | undefined;
  readonly data: string;
}

/** Parses in pieces, as they may come from a network; throws at anything that is no field. */
function parseStrictly(bytes: Buffer, cuts: readonly number[]): readonly Parsed[] {
  const events: Parsed[] = [];
  const parser = createParser({
    onEvent: ({ event, id, data }) => events.push({ event, id, data }),
    onError: (error) => {
      throw error;
    },
    onRetry: (ms) => {
      throw new Error(`A retry of ${ms} came from nowhere.`);
    },
    onComment: (comment) => {
      throw new Error(`A comment came from nowhere: ${comment}`);
    },
  });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let at = 0;
  for (const cut of [...cuts.map((one) => one % bytes.length).sort((a, b) => a - b), bytes.length]) {
    parser.feed(decoder.decode(bytes.subarray(at, cut), { stream: true }));
    at = cut;
  }
  return events;
}

describe('the writer of events', () => {
  const message = fc.record({
    channel: nastyName(isChannelName).map((name) => `room:${name}`),
    event: nastyName(isEventName),
    key: fc.option(nastyName(isKey), { nil: undefined }),
    user: nasty,
    name: fc.option(nasty, { nil: undefined }),
    data: fc.oneof(
      nasty.map((text) => JSON.stringify(text)),
      jsonText,
      fc
        .tuple(fc.json(), fc.constantFrom('\n', '\r', '\r\n', '\n\r'))
        .map(([text, end]) => JSON.stringify(JSON.parse(text), undefined, 2).replaceAll('\n', end)),
    ),
    offset: fc.nat({ max: 1000 }),
  });

  it('makes of each message one event with the same strings, however it is cut on its way', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), fc.array(fc.nat()), (list, cuts) => {
        const bytes = list.map(({ channel, event, key, user, name, data, offset }) =>
          SSE_EVENTS.push({
            type: 'message',
            channel,
            epoch: 'e1',
            publication: { offset, id: 'i1', event, data, from: { user, name }, time: 1, key },
          }),
        );
        const events = parseStrictly(Buffer.concat(bytes), cuts);
        expect(events).toHaveLength(list.length);
        events.forEach((parsed, at) => {
          const { channel, event, key, user, name, data, offset } = list[at] as (typeof list)[number];
          expect(parsed.event).toBe('message');
          expect(parsed.id === undefined).toBe(offset === 0);
          const body = JSON.parse(parsed.data) as Record<string, unknown>;
          expect(body).toMatchObject({ channel, event });
          expect(body['key']).toBe(key);
          // A lone half of a pair has no UTF-8; it travels as an escape and comes out the same.
          expect(body['from']).toEqual(name === undefined ? { user } : { user, name });
          expect(JSON.stringify(body['data'])).toBe(JSON.stringify(JSON.parse(data)));
        });
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('makes of every other push one event as well', () => {
    const at = fc.record({ text: nasty, channel: nastyName(isChannelName) });
    fc.assert(
      fc.property(at, ({ text, channel }) => {
        const member = { user: text, name: text, connections: 1, since: 1 };
        const bytes = [
          SSE_EVENTS.push({ type: 'join', channel, member }),
          SSE_EVENTS.push({ type: 'unsubscribed', channel, code: 'forbidden', message: text }),
          SSE_EVENTS.push({ type: 'reconnect', afterMs: 1, reason: text }),
          SSE_EVENTS.push({ type: 'custom', event: text, data: JSON.stringify({ text }, undefined, 1) }),
        ];
        const events = parseStrictly(Buffer.concat(bytes), []);
        expect(events.map(({ event }) => event)).toEqual(['join', 'unsubscribed', 'reconnect', 'event']);
        const bodies = events.map(({ data }) => JSON.parse(data) as Record<string, unknown>);
        expect(bodies).toMatchObject([
          { member: { user: text, name: text } },
          { message: text },
          { reason: text },
          { event: text, data: { text } },
        ]);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});

describe('the whole server', () => {
  let server: E2eServer;
  beforeAll(async () => {
    server = await startE2e({ rules: [{ channel: 'room:{name}', history: { size: 1000, ttl: '1m' } }] });
  });
  afterAll(async () => {
    disposeStreams();
    await server.close();
  });

  it('gives the same strings live and in a resume', async () => {
    const channel = 'room:strings';
    const token = server.token('ana');
    const live = await openSse(server.url, [channel], { token });
    await live.ready();
    const cursor = live.lastEventId;
    const texts = fc.sample(nasty, { seed: SEED, numRuns: 200 });
    const raw = fc.sample(jsonText, { seed: SEED, numRuns: 100 });
    for (const data of [...texts.map((text) => JSON.stringify(text)), ...raw])
      await server.realtime.publishRaw({
        channel,
        event: 'tick',
        data,
        key: undefined,
        idempotencyKey: undefined,
        except: undefined,
        identity: BACKEND,
      });
    const expected = [...texts, ...raw.map((text) => JSON.parse(text) as unknown)].map((value) =>
      JSON.stringify(value),
    );
    const resumed = await openSse(server.url, [channel], { token, cursor });
    for (const stream of [live, resumed]) {
      const got: string[] = [];
      while (got.length < expected.length) got.push(JSON.stringify((await stream.next('message')).data.data));
      expect(got).toEqual(expected);
      stream.check();
      expect(stream.events).toHaveLength(expected.length + 1);
    }
  });
});
