// POST /api/batch and /api/broadcast: one result each, in order, whatever becomes of the others.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, ApiClient } from '../support/api-client.js';
import { startApi, type ApiServer } from '../support/api-server.js';

interface Result {
  readonly ok: boolean;
  readonly channel?: string;
  readonly offset?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly code: string; readonly retry: boolean; readonly details?: unknown };
}

let api: ApiServer;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.close());

const resultsOf = (answer: Answer): readonly Result[] => answer.json<{ results: Result[] }>().results;
/** The code of each refusal, the offset of each success. */
const outcomes = (answer: Answer): unknown[] =>
  resultsOf(answer).map(({ error, offset }) => error?.code ?? offset);
const history = async (channel: string): Promise<string> =>
  (await api.backend.get(`/api/channels/${encodeURIComponent(channel)}/messages`)).text;

describe('a batch', () => {
  const batch = (messages: unknown, caller: ApiClient = api.backend): Promise<Answer> =>
    caller.post('/api/batch', { messages });
  const note = (channel: unknown, data: unknown = 1): object => ({ channel, event: 'note', data });

  it('publishes in order and answers each with its position', async () => {
    const answer = await batch([note('room:b1', 'a'), note('room:b2', 'b'), note('room:b1', 'c')]);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(resultsOf(answer)).toMatchObject([
      { ok: true, channel: 'room:b1', offset: 1, duplicate: false },
      { ok: true, channel: 'room:b2', offset: 1 },
      { ok: true, channel: 'room:b1', offset: 2 },
    ]);
    expect(await history('room:b1')).toMatch(/"data":"a".*"data":"c"/);
  });

  it('hands each payload on byte for byte', async () => {
    const payloads = ['12345678901234567890', '1.0', '1e400', '{ "b":1, "a":"],}" }', '"\\u00e9"', '[[],{}]'];
    const messages = payloads.map(
      (data) => `{"event":"note","x":{"data":0}, "data" :${data} ,"channel":"room:raw"}`,
    );
    const body = `{"other":["messages"],"messages":[{"channel":"room:lost"}],"messages" : [ ${messages.join(' ,\n')} ]}`;
    const answer = await api.backend.post('/api/batch', body);
    expect(outcomes(answer)).toEqual([1, 2, 3, 4, 5, 6]);
    const kept = await history('room:raw');
    for (const data of payloads) expect(kept).toContain(`"data":${data},"time"`);
  });

  it('refuses each bad message by itself', async () => {
    const answer = await batch([
      note('room:mixed'),
      'text',
      null,
      [],
      {},
      note(undefined),
      note('a b'),
      note('nowhere:a'),
      { channel: 'room:mixed', data: 1 },
      { channel: 'room:mixed', event: 'note', key: 7 },
      { channel: 'room:mixed', event: 'note', idempotencyKey: '' },
      { channel: 'room:mixed', event: 'note', exceptSession: 'a b' },
      note('ticks:a'),
      { channel: 'ticks:a', event: 'tick', data: 'x'.repeat(80) },
      note('__proto__'),
      note('room:mixed'),
    ]);
    const invalid = 'invalid_data';
    expect(outcomes(answer)).toEqual([
      1,
      ...Array.from({ length: 6 }, () => invalid),
      'unknown_channel',
      ...Array.from({ length: 4 }, () => invalid),
      'unknown_event',
      'too_large',
      1,
      2,
    ]);
    expect(resultsOf(answer)[9]).toMatchObject({
      ok: false,
      channel: 'room:mixed',
      error: { retry: false, details: [{ path: 'key' }] },
    });
    expect(resultsOf(answer)[6]).not.toHaveProperty('channel');
  });

  it('repeats none that bring their idempotency key', async () => {
    const message = { channel: 'room:again', event: 'note', data: 1, idempotencyKey: 'k' };
    const [first, again] = resultsOf(await batch([message, message]));
    expect(again).toEqual({ ...first, duplicate: true });
  });

  it('judges each message by the rules of its channel, as the caller', async () => {
    const channels = ['open:x', 'room:x', 'granted:x', 'news:x'].map((channel) => note(channel));
    expect(outcomes(await batch(channels, api.user('ana')))).toEqual([1, 1, 'forbidden', 'forbidden']);
    const answer = await batch(channels, api.stranger);
    expect([answer.status, answer.json()['code']]).toEqual([401, 'unauthenticated']);
    expect(await history('open:x')).toContain('"from":{"user":"ana"}');
  });

  it('has 1 to 100 messages', async () => {
    const many = (count: number): Promise<Answer> =>
      batch(Array.from({ length: count }, () => note('open:many')));
    expect(resultsOf(await many(100))).toHaveLength(100);
    for (const answer of [await many(0), await many(101)]) {
      expect(answer.status).toBe(400);
      expect(answer.json()).toMatchObject({ code: 'invalid_data', details: [{ path: 'messages' }] });
    }
    expect(await history('open:many')).toContain('"offset":100,"id"');
  });

  it.each([undefined, null, 7, 'text', {}, { length: 1 }])(
    'is refused when it is no list: %j',
    async (messages) => {
      const answer = await batch(messages);
      expect([answer.status, answer.json()['code']]).toEqual([400, 'invalid_data']);
    },
  );
});

describe('a broadcast', () => {
  const send = (body: object, headers: Record<string, string> = {}, caller = api.backend): Promise<Answer> =>
    caller.post('/api/broadcast', { event: 'note', data: { n: 1 }, ...body }, headers);

  it('publishes to each channel and answers each with its position', async () => {
    const answer = await send({ channels: ['room:c1', 'room:c2', 'room:c1'], key: 'k' });
    expect(answer.status).toBe(200);
    expect(resultsOf(answer)).toMatchObject([
      { ok: true, channel: 'room:c1', offset: 1 },
      { ok: true, channel: 'room:c2', offset: 1 },
      { ok: true, channel: 'room:c1', offset: 2 },
    ]);
    expect(await history('room:c2')).toContain('"data":{"n":1}');
  });

  it('hands the payload on byte for byte', async () => {
    await api.backend.post('/api/broadcast', '{"channels":["room:c-raw"],"data": 1.000 ,"event":"note"}');
    expect(await history('room:c-raw')).toContain('"data":1.000,');
  });

  it('refuses each bad channel by itself', async () => {
    const answer = await send({
      channels: ['room:c3', 'a b', 7, null, ['room:c3'], 'nowhere:a', 'room:c3'],
    });
    const invalid = 'invalid_data';
    expect(outcomes(answer)).toEqual([1, invalid, invalid, invalid, invalid, 'unknown_channel', 2]);
  });

  it('takes the Idempotency-Key for every channel', async () => {
    const headers = { 'idempotency-key': 'everywhere' };
    await send({ channels: ['room:c4'] }, headers);
    const results = resultsOf(await send({ channels: ['room:c4', 'room:c5'] }, headers));
    expect(results.map(({ duplicate }) => duplicate)).toEqual([true, false]);
  });

  it('is judged by the rules of each channel, as the caller', async () => {
    const channels = ['open:y', 'room:y', 'granted:y', 'news:y'];
    expect(outcomes(await send({ channels }, {}, api.user('ana')))).toEqual([1, 1, 'forbidden', 'forbidden']);
    expect((await send({ channels }, {}, api.stranger)).status).toBe(401);
  });

  it.each([
    ['channels', { channels: 'room:a' }],
    ['channels', { channels: [] }],
    ['channels', { channels: Array.from({ length: 101 }, (_, i) => `room:${i}`) }],
    ['event', { channels: ['room:a'], event: '' }],
    ['event', { channels: ['room:a'], event: { $ne: 1 } }],
    ['key', { channels: ['room:a'], key: 'x'.repeat(129) }],
    ['exceptSession', { channels: ['room:a'], exceptSession: {} }],
  ])('is refused as a whole for a bad %s', async (path, body) => {
    const answer = await send(body);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'invalid_data', details: [{ path }] });
  });
});
