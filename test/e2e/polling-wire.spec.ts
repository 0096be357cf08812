// Polling on the wire: the answer and its headers, waits and their bounds, 304, and everything that is refused.

import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/protocol/cursor.js';
import { poll, PollClient, pollUrl, type PollAnswer, type PollOptions } from '../support/poll-client.js';
import { startStreams, type StreamServer } from '../support/stream-server.js';
import { until } from '../support/wait.js';

/** Seconds of the default wait and of the longest one. */
const [DEFAULT_WAIT, LONGEST_WAIT] = [1, 2] as const;
/** A wait may end this much later than asked, on a busy machine. In ms. */
const LATE_MS = 900;

let server: StreamServer;
let count = 0;
beforeAll(async () => {
  server = await startStreams({
    rules: [
      { channel: 'room:{name}', history: { size: 100, ttl: '1m' }, ephemeral: ['typing'] },
      { channel: 'team:{name}', subscribe: 'capability' },
      { channel: 'plain:{name}' },
      { channel: 'open:{name}', subscribe: 'anyone', history: { size: 10, ttl: '1m' } },
    ],
    polling: { defaultWaitSeconds: DEFAULT_WAIT, maxWaitSeconds: LONGEST_WAIT },
  });
});
afterAll(() => server.close());

const newChannel = (family = 'room'): string => `${family}:${++count}`;
const ask = (channels: string | readonly string[], options: PollOptions = {}): Promise<PollAnswer> =>
  poll(server.url, [channels].flat(), { token: server.token('ana'), ...options });
const publish = async (channel: string, ...payloads: readonly unknown[]): Promise<void> => {
  for (const data of payloads) await server.realtime.publish(channel, 'tick', data);
};
const cursorOf = async (channel: string): Promise<string> => (await ask(channel)).body.cursor;
const waiting = (user: string): Promise<void> =>
  until(() => server.realtime.sessions(user).length > 0, 'a poll to wait');

async function timed(poller: Promise<PollAnswer>): Promise<{ answer: PollAnswer; ms: number }> {
  const start = performance.now();
  return { answer: await poller, ms: performance.now() - start };
}

describe('the answer', () => {
  it('without a cursor comes at once, with no messages and the place of now', async () => {
    const channel = newChannel();
    await publish(channel, 'old');
    const { answer, ms } = await timed(ask(channel, { wait: LONGEST_WAIT }));
    expect(ms).toBeLessThan(LATE_MS);
    const { epoch, offset, id } = await server.realtime.history(channel);
    expect(answer.body).toEqual({
      messages: [],
      cursor: encodeCursor(new Map([[channel, { epoch, offset, id }]])),
    });
  });

  it('is kept from caches and sniffers, and its ETag is the quoted cursor', async () => {
    const { headers, body } = await ask(newChannel());
    expect(headers.get('cache-control')).toBe('no-store');
    const vary = headers.get('vary')?.split(/, */) ?? [];
    expect(vary).toEqual(expect.arrayContaining(['Origin', 'Cookie', 'Authorization']));
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('etag')).toBe(`"${body.cursor}"`);
    expect(headers.has('x-powered-by')).toBe(false);
  });

  it('has these headers also when it is a refusal', async () => {
    const { status, headers } = await ask('team:a');
    expect(status).toBe(403);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(headers.has('etag')).toBe(false);
  });

  it('holds the data of the WebSocket push, with its type', async () => {
    const channel = newChannel();
    const cursor = await cursorOf(channel);
    await server.realtime.publish(channel, 'tick', { a: 1 }, { key: 'k' });
    const { messages } = (await ask(channel, { cursor })).body;
    expect(messages).toEqual([
      {
        type: 'message',
        channel,
        offset: 1,
        id: expect.any(String) as string,
        event: 'tick',
        data: { a: 1 },
        time: expect.any(Number) as number,
        key: 'k',
      },
    ]);
  });

  it('is JSON whatever the caller would rather have', async () => {
    const url = pollUrl(server.url, [newChannel()]);
    url.searchParams.set('callback', 'alert');
    const headers = {
      authorization: `Bearer ${server.token('ana')}`,
      accept: 'text/html, application/javascript',
    };
    const response = await fetch(url, { headers });
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await response.text()).toMatch(/^\{"messages":\[\],/);
  });

  it('has the cursor of the channels that were asked for, and no others', async () => {
    const [a, b] = [newChannel(), newChannel()] as const;
    const { cursor } = (await ask([a, b])).body;
    const answer = await ask(a, { cursor, wait: 0 });
    expect([...(decodeCursor(answer.body.cursor)?.keys() ?? [])]).toEqual([a]);
  });

  it('leaves no session behind', async () => {
    await ask(newChannel());
    await until(() => server.core.hub.sessionCount === 0, 'no session');
  });
});

describe('a wait', () => {
  it('ends with the first message, at once', async () => {
    const channel = newChannel();
    const reader = new PollClient(server.url, [channel], { token: server.token('waiter') });
    await reader.next();
    const waited = timed(reader.next({ wait: LONGEST_WAIT }));
    await waiting('waiter');
    await publish(channel, 'now');
    const { answer, ms } = await waited;
    expect(ms).toBeLessThan(LONGEST_WAIT * 500);
    expect(answer.body.messages.map(({ data }) => data)).toEqual(['now']);
  });

  it.each([
    ['as long as asked', 0.3, 300],
    ['not at all for 0', 0, 0],
    ['the default when it does not say', undefined, DEFAULT_WAIT * 1000],
    ['no longer than the longest', 1000, LONGEST_WAIT * 1000],
  ])('lasts %s', async (_what, wait, expected) => {
    const channel = newChannel();
    const cursor = await cursorOf(channel);
    const { answer, ms } = await timed(ask(channel, { cursor, wait }));
    expect(answer.body).toEqual({ messages: [], cursor });
    expect(ms).toBeGreaterThanOrEqual(expected - 5);
    expect(ms).toBeLessThan(expected + LATE_MS);
  });

  it.each(['-1', 'abc', '1e3', '0x10', 'NaN', 'Infinity', '1,5', ' 1 2', '99999999999'])(
    'of "%s" is refused',
    async (wait) => {
      const { status, problem } = await ask(newChannel(), { wait });
      expect([status, problem['code']]).toEqual([400, 'invalid_data']);
    },
  );

  it('hears what is not kept, without moving', async () => {
    const channel = newChannel();
    const cursor = await cursorOf(channel);
    const token = server.token('listener');
    const waited = ask(channel, { cursor, token, wait: LONGEST_WAIT });
    await waiting('listener');
    await server.realtime.publish(channel, 'typing', { on: true });
    const { body } = await waited;
    expect(body.messages).toMatchObject([{ event: 'typing', data: { on: true } }]);
    expect(body.messages[0]).not.toHaveProperty('offset');
    expect(body.cursor).toBe(cursor);
  });

  it('hears a channel that keeps nothing, and its cursor can be used again', async () => {
    const channel = newChannel('plain');
    const reader = new PollClient(server.url, [channel], { token: server.token('plain') });
    await reader.next();
    for (const n of [1, 2]) {
      const waited = reader.next({ wait: LONGEST_WAIT });
      await waiting('plain');
      await publish(channel, n);
      const { body } = await waited;
      expect(body.messages.map(({ data }) => data)).toEqual([n]);
      expect(body).not.toHaveProperty('gaps');
      await until(() => server.realtime.sessions('plain').length === 0, 'the wait to be over');
    }
  });

  it('of a user that the backend disconnects ends with a refusal', async () => {
    const channel = newChannel();
    const cursor = await cursorOf(channel);
    const waited = timed(ask(channel, { cursor, token: server.token('revoked'), wait: LONGEST_WAIT }));
    await waiting('revoked');
    await server.realtime.disconnect('revoked');
    const { answer, ms } = await waited;
    expect([answer.status, answer.problem['code']]).toEqual([403, 'forbidden']);
    expect(ms).toBeLessThan(LATE_MS);
  });

  it('ends when its token does', async () => {
    const channel = newChannel();
    const cursor = await cursorOf(channel);
    const exp = Math.floor(Date.now() / 1000) + 1;
    const token = server.token('ending', { exp });
    const answer = await ask(channel, { cursor, token, wait: LONGEST_WAIT });
    expect([answer.status, answer.problem['code']]).toEqual([401, 'expired']);
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  });

  it('ends empty at a drain, and the next poll is sent elsewhere', async () => {
    const other = await startStreams();
    const options = { token: other.token('ana') };
    const { cursor } = (await poll(other.url, ['room:a'], options)).body;
    const waited = timed(poll(other.url, ['room:a'], { ...options, cursor, wait: 20 }));
    await until(() => other.core.hub.sessionCount > 0, 'the poll to wait');
    void other.core.drain(100);
    const { answer, ms } = await waited;
    expect(answer.body).toEqual({ messages: [], cursor });
    expect(ms).toBeLessThan(2000);
    const next = await poll(other.url, ['room:a'], { ...options, cursor });
    expect([next.status, next.problem['code']]).toEqual([503, 'unavailable']);
    expect(Number(next.headers.get('retry-after'))).toBeGreaterThan(0);
    await other.close();
  });
});

describe('If-None-Match', () => {
  const matching = (cursor: string, weak = false): Record<string, string> => ({
    'if-none-match': `${weak ? 'W/' : ''}"${cursor}"`,
  });

  it('of the present cursor gives 304 without a body when nothing is new', async () => {
    const channel = newChannel();
    const cursor = await cursorOf(channel);
    for (const weak of [false, true]) {
      const headers = matching(cursor, weak);
      for (const given of [cursor, undefined]) {
        const answer = await ask(channel, { cursor: given, wait: 0, headers });
        expect([answer.status, answer.text]).toEqual([304, '']);
        expect(answer.headers.get('etag')).toBe(`"${cursor}"`);
        expect(answer.headers.get('cache-control')).toBe('no-store');
      }
    }
  });

  it('serves as the cursor when there is none', async () => {
    const channel = newChannel();
    const cursor = await cursorOf(channel);
    await publish(channel, 1, 2);
    const { body } = await ask(channel, { wait: 0, headers: matching(cursor) });
    expect(body.messages.map(({ data }) => data)).toEqual([1, 2]);
    expect((await ask(channel, { wait: 0, headers: matching(body.cursor) })).status).toBe(304);
  });

  it('waits as a poll does, and is 200 when something came', async () => {
    const channel = newChannel();
    const cursor = await cursorOf(channel);
    const token = server.token('matcher');
    const waited = ask(channel, { token, wait: LONGEST_WAIT, headers: matching(cursor) });
    await waiting('matcher');
    await publish(channel, 'news');
    expect((await waited).body.messages).toHaveLength(1);
  });

  it('of another cursor is no match', async () => {
    const channel = newChannel();
    const before = await cursorOf(channel);
    await publish(channel, 1);
    const now = await cursorOf(channel);
    const answer = await ask(channel, { cursor: now, wait: 0, headers: matching(before) });
    expect(answer.body).toEqual({ messages: [], cursor: now });
  });

  it('a gap is never hidden behind a 304', async () => {
    const channel = newChannel();
    await publish(channel, 1);
    const top = (await server.realtime.history(channel)) as { epoch: string; offset: number; id: string };
    const cursor = encodeCursor(new Map([[channel, { epoch: top.epoch, offset: 1, id: 'another' }]]));
    const answer = await ask(channel, { wait: 0, headers: matching(cursor) });
    expect(answer.body.gaps).toMatchObject([{ channel, reason: 'id_mismatch' }]);
  });
});

describe('what is refused', () => {
  it.each([
    ['rubbish', 'rubbish'],
    ['another version', '9~room%3Aa!e.1.'],
    ['a channel twice', '1~room%3Aa!e.1.~room%3Aa!e.2.'],
    ['an offset that is none', '1~room%3Aa!e.-1.'],
    ['too much', `1~${'x'.repeat(9000)}`],
  ])('a cursor that is none: %s', async (_what, cursor) => {
    const { status, problem } = await ask(newChannel(), { cursor });
    expect([status, problem['code']]).toEqual([400, 'invalid_data']);
  });

  it('a cursor given twice', async () => {
    const channel = newChannel();
    const cursor = await cursorOf(channel);
    const url = pollUrl(server.url, [channel], { cursor });
    url.searchParams.append('cursor', cursor);
    const headers = { authorization: `Bearer ${server.token('ana')}` };
    expect((await fetch(url, { headers })).status).toBe(400);
  });

  it('a poll of no channel', async () => {
    const { status, problem } = await ask([]);
    expect([status, problem['code']]).toEqual([400, 'invalid_data']);
  });

  it.each(['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])('the method %s', async (method) => {
    const channel = newChannel();
    const cursor = await cursorOf(channel);
    const { answer, ms } = await timed(ask(channel, { cursor, method, wait: LONGEST_WAIT }));
    expect([404, 405]).toContain(answer.status);
    expect(ms, 'without waiting').toBeLessThan(LATE_MS);
  });

  it('a parameter as an object, which some parsers would make of it', async () => {
    const headers = { authorization: `Bearer ${server.token('ana')}` };
    for (const query of [
      'channel[a]=room:1',
      'channel[]=room:1',
      'channel=room:1&cursor[a]=1~',
      'channel=room:1&wait[]=1',
    ]) {
      const { status } = await fetch(`${server.url}/poll?${query}`, { headers });
      expect([200, 400], query).toContain(status);
    }
  });
});

describe('waiting polls are bounded', () => {
  it('for a user, by the sessions a user may have; one that goes makes room', async () => {
    const other = await startStreams({ env: { TRUNKLINE_MAX_SESSIONS_PER_USER: '3' } });
    const options = { token: other.token('ana') };
    const { cursor } = (await poll(other.url, ['room:a'], options)).body;
    const controllers = [1, 2, 3].map(() => new AbortController());
    const waits = controllers.map(({ signal }) =>
      poll(other.url, ['room:a'], { ...options, cursor, wait: 20, signal }).catch(() => undefined),
    );
    await until(() => other.core.hub.sessionCount === 3, 'three to wait');
    const fourth = await poll(other.url, ['room:a'], { ...options, cursor, wait: 20 });
    expect([fourth.status, fourth.problem['code']]).toEqual([429, 'limit_exceeded']);
    expect(Number(fourth.headers.get('retry-after'))).toBeGreaterThan(0);
    controllers[0]?.abort();
    await until(() => other.core.hub.sessionCount === 2, 'one to be gone');
    const fifth = poll(other.url, ['room:a'], { ...options, cursor, wait: 20 });
    await until(() => other.core.hub.sessionCount === 3, 'the next to wait');
    await other.realtime.publish('room:a', 'tick', 'for all');
    expect((await fifth).body.messages).toHaveLength(1);
    await Promise.all(waits);
    await other.close();
  });

  it('for the instance, by its sessions', async () => {
    const other = await startStreams({ env: { TRUNKLINE_MAX_SESSIONS: '2' } });
    const options = { token: other.token('ana') };
    const { cursor } = (await poll(other.url, ['room:a'], options)).body;
    const waits = [1, 2].map(() => poll(other.url, ['room:a'], { ...options, cursor, wait: 20 }));
    await until(() => other.core.hub.sessionCount === 2, 'two to wait');
    const third = await poll(other.url, ['room:a'], { ...options, cursor, wait: 20 });
    expect([third.status, third.problem['code']]).toEqual([503, 'unavailable']);
    await other.realtime.publish('room:a', 'tick', 'for all');
    for (const wait of waits) expect((await wait).body.messages).toHaveLength(1);
    await other.close();
  });
});

describe('a client that goes', () => {
  it('frees its waiting poll at once, whenever it goes', async () => {
    const channel = newChannel();
    const cursor = encodeURIComponent(await cursorOf(channel));
    const token = server.token('hasty');
    const head = `GET /poll?channel=${channel}&cursor=${cursor}&wait=${LONGEST_WAIT} HTTP/1.1\r\nHost: x\r\n`;
    for (let n = 0; n < 200; n++) {
      const socket = connect({ port: server.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.write(`${head}Authorization: Bearer ${token}\r\n\r\n`);
      for (let turn = 0; turn < n % 8; turn++) await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
    }
    const freed = (): boolean => server.realtime.sessions('hasty').length === 0;
    await until(freed, 'all sessions to end', LONGEST_WAIT * 300);
  });
});
