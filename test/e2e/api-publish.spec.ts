// POST /api/channels/{channel}/messages: who may, what is kept, what a retry does, and payloads byte for byte.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../support/api-client.js';
import { listen } from '../support/api-listener.js';
import { startApi, type ApiServer } from '../support/api-server.js';

interface Published {
  readonly channel: string;
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  readonly duplicate: boolean;
}

let api: ApiServer;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.close());

const path = (channel: string): string => `/api/channels/${encodeURIComponent(channel)}/messages`;
const historyText = async (channel: string): Promise<string> => (await api.backend.get(path(channel))).text;
const code = (answer: Answer): unknown => answer.json()['code'];

describe('publishing', () => {
  it('answers 201 with the position, and history has the message at it', async () => {
    const answer = await api.backend.post(path('room:first'), {
      event: 'note',
      data: { text: 'hi' },
      key: 'k',
    });
    expect(answer.status).toBe(201);
    const { channel, epoch, offset, id, duplicate } = answer.json<Published>();
    expect({ channel, offset, duplicate }).toEqual({ channel: 'room:first', offset: 1, duplicate: false });
    const kept = JSON.parse(await historyText('room:first')) as { epoch: string; messages: unknown[] };
    expect(kept.epoch).toBe(epoch);
    expect(kept.messages).toEqual([
      {
        channel: 'room:first',
        offset: 1,
        id,
        event: 'note',
        data: { text: 'hi' },
        time: expect.any(Number) as number,
        key: 'k',
      },
    ]);
  });

  it('is done as the caller: a user by name, the backend without one', async () => {
    await api.user('ana', { name: 'Ana' }).post(path('room:who'), { event: 'note', data: 1 });
    await api.backend.post(path('room:who'), { event: 'note', data: 2 });
    const { messages } = JSON.parse(await historyText('room:who')) as { messages: { from?: unknown }[] };
    expect(messages.map(({ from }) => from)).toEqual([{ user: 'ana', name: 'Ana' }, undefined]);
  });

  it('takes null for data that is left out', async () => {
    await api.backend.post(path('room:empty'), { event: 'note' });
    expect(await historyText('room:empty')).toContain('"data":null');
  });

  it('reads null as left out in optional fields, and ignores unknown ones', async () => {
    const body = {
      event: 'note',
      data: 1,
      key: null,
      exceptSession: null,
      colour: 'red',
      __proto__: { key: 'x' },
    };
    expect((await api.backend.post(path('room:nulls'), body)).status).toBe(201);
    expect(await historyText('room:nulls')).not.toContain('"key"');
  });

  it('reaches subscribers, except the session that is named', async () => {
    const { server } = api;
    const spared = await listen(server.wsUrl, server.token('ben'), 'room:live');
    const other = await listen(server.wsUrl, server.token('cleo'), 'room:live');
    const body = { event: 'note', data: 'first', exceptSession: spared.session };
    await api.backend.post(path('room:live'), body);
    await api.backend.post(path('room:live'), { event: 'note', data: 'second' });
    expect(await other.next()).toContain('"first"');
    expect(await spared.next()).toContain('"second"');
    spared.close();
    other.close();
  });
});

describe('payload text', () => {
  it.each([
    ['numbers JavaScript cannot hold', '12345678901234567890'],
    ['numbers with a spelling of their own', '[1.0,1e400,-0,1E+2]'],
    ['blanks and order of keys', '{ "b" : 1 ,\t"a":[ ] }'],
    ['escapes', '"\\u00e9\\/\\ud83d\\ude00 \\ud800"'],
    ['raw signs of other scripts', '"é日本😀\u2028"'],
    ['keys that are special to objects', '{"__proto__":{"x":1},"constructor":null,"a":1,"a":2}'],
    ['an empty text', '""'],
    ['braces and quotes inside texts', '{"t":"}\\"],{[\\\\"}'],
  ])('passes through byte for byte: %s', async (name, data) => {
    const channel = `room:raw-${encodeURIComponent(name)}`;
    const body = `{"event":"note", "data" : ${data} , "key":"k"}`;
    expect((await api.backend.post(path(channel), body)).status).toBe(201);
    const bytes = new TextDecoder().decode(new TextEncoder().encode(data));
    expect(await historyText(channel)).toContain(`"event":"note","data":${bytes},"time"`);
  });

  it('is that of the last `data`, as in the parsed body, however the key is spelled', async () => {
    await api.backend.post(path('room:twice'), '{"data":1,"event":"note","d\\u0061ta":2.0}');
    expect(await historyText('room:twice')).toContain('"data":2.0,');
  });

  it('is not looked for inside other fields', async () => {
    await api.backend.post(path('room:deeper'), '{"x":{"data":1},"event":"note","y":["data",{"data":2}]}');
    expect(await historyText('room:deeper')).toContain('"data":null,');
  });

  it('may come compressed', async () => {
    const { gzipSync } = await import('node:zlib');
    const body = gzipSync('{"event":"note","data":1.50}');
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    expect((await api.backend.send('POST', path('room:zip'), { body, headers })).status).toBe(201);
    expect(await historyText('room:zip')).toContain('"data":1.50,');
  });
});

describe('Idempotency-Key', () => {
  const send = (channel: string, key: string, data: unknown): Promise<Answer> =>
    api.backend.post(path(channel), { event: 'note', data }, { 'idempotency-key': key });

  it('publishes once, and answers a repeat with the first position', async () => {
    const first = (await send('room:once', 'order-1', 1)).json<Published>();
    const again = await send('room:once', 'order-1', 2);
    expect(again.status).toBe(201);
    expect(again.json<Published>()).toEqual({ ...first, duplicate: true });
    expect((await send('room:once', 'order-2', 3)).json<Published>().offset).toBe(2);
    const { messages } = JSON.parse(await historyText('room:once')) as { messages: { data: number }[] };
    expect(messages.map(({ data }) => data)).toEqual([1, 3]);
  });

  it('counts for its channel only', async () => {
    await send('room:key-a', 'same', 1);
    expect((await send('room:key-b', 'same', 1)).json<Published>().duplicate).toBe(false);
  });

  it('is the same plain and as a quoted structured header', async () => {
    await send('room:quoted', 'k-1', 1);
    expect((await send('room:quoted', '"k-1"', 1)).json<Published>().duplicate).toBe(true);
  });

  it.each(['__proto__', 'constructor', 'hasOwnProperty'])('may be named %s', async (key) => {
    expect((await send('room:keys', key, 1)).json<Published>().duplicate).toBe(false);
    expect((await send('room:keys', key, 1)).json<Published>().duplicate).toBe(true);
  });

  it.each(['""', 'x'.repeat(129), 'a"b', 'a\\b'])('is refused when it is no key: %s', async (key) => {
    const answer = await send('room:bad-key', key, 1);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'invalid_data', details: [{ path: 'Idempotency-Key' }] });
  });
});

describe('rules of channels', () => {
  it.each([
    ['anyone', 'open:a', [201, 201, 201]],
    ['authenticated', 'room:a', [401, 201, 201]],
    ['capability', 'granted:a', [401, 403, 201]],
    ['backend', 'news:a', [401, 403, 201]],
  ])('hold for strangers, users and backends: %s', async (_rule, channel, expected) => {
    const callers = [api.stranger, api.user('ana'), api.backend];
    const answers = await Promise.all(
      callers.map((caller) => caller.post(path(channel), { event: 'tick', data: 1 })),
    );
    expect(answers.map(({ status }) => status)).toEqual(expected);
  });

  it('let a token with the capability in, for the channels it names', async () => {
    const ana = api.user('ana', { channels: { 'granted:mine': ['publish'], 'granted:seen': ['subscribe'] } });
    const send = (channel: string): Promise<Answer> => ana.post(path(channel), { event: 'note', data: 1 });
    expect((await send('granted:mine')).status).toBe(201);
    expect((await send('granted:seen')).status).toBe(403);
    expect((await send('granted:other')).status).toBe(403);
  });

  it('run the handler of a channel class, which may refuse and replace', async () => {
    const ana = api.user('ana', { name: 'Ana' });
    const answer = await ana.post(path('chat:api'), { event: 'message', data: { text: 'hi', name: 'Eve' } });
    expect(answer.status).toBe(201);
    expect(await historyText('chat:api')).toContain('"data":{"text":"hi","name":"Ana"}');
    const refused = await ana.post(path('chat:api'), { event: 'message', data: { text: '' } });
    expect([refused.status, code(refused)]).toEqual([400, 'invalid_data']);
  });

  it('refuse unknown channels, events and payloads over the bound', async () => {
    const send = (channel: string, event: string, data: unknown): Promise<Answer> =>
      api.backend.post(path(channel), { event, data });
    const unknownChannel = await send('nowhere:a', 'tick', 1);
    expect([unknownChannel.status, code(unknownChannel)]).toEqual([404, 'unknown_channel']);
    const unknownEvent = await send('ticks:a', 'tock', 1);
    expect([unknownEvent.status, code(unknownEvent)]).toEqual([400, 'unknown_event']);
    const large = await send('ticks:a', 'tick', 'x'.repeat(64));
    expect([large.status, code(large)]).toEqual([413, 'too_large']);
    expect((await send('ticks:a', 'tick', 'x'.repeat(62))).json<Published>().offset).toBe(0);
  });
});

describe('names in the path', () => {
  it.each([
    ['chat%2Flobby', 'chat/lobby'],
    ['__proto__', '__proto__'],
    ['room:%F0%9F%98%80', 'room:😀'],
    ['room:a%252Fb', 'room:a%2Fb'],
    ['room:..', 'room:..'],
    ['room:constructor', 'room:constructor'],
  ])('are decoded once: %s', async (segment, channel) => {
    const answer = await api.backend.post(`/api/channels/${segment}/messages`, { event: 'note', data: 1 });
    expect(answer.status).toBe(201);
    expect(answer.json<Published>().channel).toBe(channel);
  });

  it.each([
    'room:a%20b',
    'room:%00',
    'room:a%0d%0aX',
    'room:*',
    'room:%7Ba%7D',
    'room:%E2%80%AE',
    `room:${'x'.repeat(200)}`,
  ])('are refused when they are no channel names: %s', async (segment) => {
    const answer = await api.backend.post(`/api/channels/${segment}/messages`, { event: 'note', data: 1 });
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'invalid_data', details: [{ path: 'channel' }] });
  });

  it.each(['%', '%zz', '%c3', '%ff', '%ed%a0%80'])(
    'are refused when a percent sequence is malformed: %s',
    async (segment) => {
      const answer = await api.backend.post(`/api/channels/${segment}/messages`, { event: 'note', data: 1 });
      expect([answer.status, code(answer)]).toEqual([400, 'invalid_data']);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
    },
  );
});
