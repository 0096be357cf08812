// The prices domain on a real server, by WebSocket and by SSE: who may watch, the last value, conflation, and the simulated feed.

import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { PricesFeed } from '../../src/domains/prices/prices.feed.js';
import type { Session } from '../../src/core/session.js';
import { loadConfig } from '../../src/config/config.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { disposeStreams, openSse } from '../support/sse-client.js';
import { disposeClients, type WsClient } from '../support/ws-client.js';

let server: E2eServer;
let count = 0;
beforeAll(async () => {
  server = await startE2e();
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(() => server.close());

/** A symbol of this test alone, so that no tick of another is its last value. */
const fresh = (): string => `prices:T${++count}`;

const tick = (channel: string, price: number) =>
  server.realtime.publish(channel, 'tick', { price }, { key: 'tick' });

async function watch(channel: string, user?: string): Promise<{ client: WsClient; last: unknown[] }> {
  const client = await server.join(user);
  const { event, data } = await client.request('subscribe', { channel });
  expect(event).toBe('ok');
  return { client, last: data.messages.map((message) => message.data) };
}

describe('a ticker', () => {
  it('shows the last price to who comes, known or not, and nothing older', async () => {
    const channel = fresh();
    expect((await watch(channel)).last).toEqual([]);
    for (const price of [1, 2, 3.25]) await tick(channel, price);
    expect((await watch(channel)).last).toEqual([{ price: 3.25 }]);
    expect((await watch(channel, 'ana')).last).toEqual([{ price: 3.25 }]);
  });

  it('tells each tick to all who watch', async () => {
    const channel = fresh();
    const watchers = [(await watch(channel)).client, (await watch(channel, 'ben')).client];
    await tick(channel, 10.5);
    for (const client of watchers) {
      const { data } = await client.next('message');
      expect(data).toMatchObject({ channel, event: 'tick', data: { price: 10.5 }, key: 'tick' });
    }
  });

  it('keeps one value and no history', async () => {
    const channel = fresh();
    for (const price of [1, 2, 3]) await tick(channel, price);
    const { client } = await watch(channel);
    const { data } = await client.request('history', { channel });
    expect(data.messages.map((message) => message.data)).toEqual([{ price: 3 }]);
  });

  it('takes prices from the backend only', async () => {
    const channel = fresh();
    const request = { channel, event: 'tick', data: { price: 1 } };
    const [ana, stranger] = [await server.join('ana'), await server.join(undefined)];
    expect((await ana.request('publish', request)).data.code).toBe('forbidden');
    expect((await stranger.request('publish', request)).data.code).toBe('unauthenticated');
    expect((await watch(channel)).last).toEqual([]);
  });

  it.each([
    ['no price', {}],
    ['a text', { price: '1' }],
    ['null', { price: null }],
    ['less than nothing', { price: -0.01 }],
    ['more than there is', { price: 1e13 }],
    ['a list', [1]],
  ])('refuses %s for a price', async (_what, data) => {
    const channel = fresh();
    const response = await server.api('POST', `/channels/${channel}/messages`, { event: 'tick', data });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid_data' });
    expect((await watch(channel)).last).toEqual([]);
  });

  it('refuses what is infinite, drops what it does not know, and knows no other event', async () => {
    const channel = fresh();
    const post = async (text: string) => {
      const response = await fetch(`${server.url}/api/channels/${channel}/messages`, {
        method: 'POST',
        headers: { authorization: 'Bearer test-api-key-0123456789', 'content-type': 'application/json' },
        body: text,
      });
      return response.status;
    };
    expect(await post('{"event":"tick","data":{"price":1e999}}')).toBe(400);
    expect(await post('{"event":"close","data":{"price":1}}')).toBe(400);
    expect(await post('{"event":"tick","data":{"price":0,"by":"mallory"}}')).toBe(201);
    expect((await watch(channel)).last).toEqual([{ price: 0 }]);
  });
});

describe('a ticker by SSE', () => {
  it('shows a stranger the last price of each symbol, and then every tick', async () => {
    const [one, two, quiet] = [fresh(), fresh(), fresh()];
    for (const price of [1, 2]) await tick(one, price);
    await tick(two, 7);
    const streams = [
      await openSse(server.url, [one, two, quiet]),
      await openSse(server.url, [one, two, quiet], { token: server.token('ana') }),
    ];
    for (const stream of streams) {
      const { channels } = await stream.ready();
      expect(channels.map(({ replayed }) => replayed)).toEqual([1, 1, 0]);
      const last = [await stream.next('message'), await stream.next('message')];
      expect(last.map(({ data }) => [data.channel, data.data])).toEqual([
        [one, { price: 2 }],
        [two, { price: 7 }],
      ]);
    }
    await tick(quiet, 3);
    for (const stream of streams) {
      const { data } = await stream.next('message');
      expect([data.channel, data.event, data.data]).toEqual([quiet, 'tick', { price: 3 }]);
    }
  });

  it('gives who comes back the newest price, and says that others are gone', async () => {
    const channel = fresh();
    const first = await openSse(server.url, [channel]);
    await tick(channel, 1);
    await first.next('message');
    first.destroy();
    for (const price of [2, 3, 4]) await tick(channel, price);
    const second = await openSse(server.url, [channel], { lastEventId: first.lastEventId });
    expect((await second.ready()).channels).toMatchObject([
      { recovered: false, reason: 'expired', replayed: 1 },
    ]);
    expect((await second.next('message')).data.data).toEqual({ price: 4 });
  });
});

describe('a watcher who is too slow', () => {
  /** Ticks published in one turn of the loop: 65 kB, a quarter of the bound. */
  const BURST = 500;
  /** The kernel takes some 4 MB for a peer that does not read: 30,000 ticks; three times that at most. */
  const MOST_BURSTS = 180;

  it('gets the newest price, and is told what was left out, while another sees the newest at once', async () => {
    const small = await startE2e({ env: { TRUNKLINE_OUTBOX_BYTES: '262144' } });
    onTestFinished(() => small.close());
    const [slow, good] = [await small.join(undefined), await small.join(undefined)];
    for (const client of [slow, good]) await client.subscribe('prices:ACME');
    const session = small.core.hub.session((await slow.next('welcome')).data.session) as Session;
    slow.stopReading();
    let price = 0;
    for (let burst = 0, after = 0; burst < MOST_BURSTS && after < 5; burst++) {
      for (let n = 0; n < BURST; n++)
        await small.realtime.publish('prices:ACME', 'tick', { price: ++price }, { key: 'ACME' });
      await good.next('message', ({ data }) => (data.data as { price: number }).price === price);
      if (session.waitingBytes > 0) after++;
    }
    expect(session.waitingBytes).toBeGreaterThan(0);
    slow.readOn();
    await slow.next('message', ({ data }) => (data.data as { price: number }).price === price);
    const seen = slow.frames.filter(({ event }) => event === 'message').length;
    const gaps = slow.frames.filter(({ event }) => event === 'gap').map(({ data }) => data);
    expect(gaps.every((gap) => gap['reason'] === 'conflated')).toBe(true);
    expect(gaps.reduce((sum, gap) => sum + Number(gap['count']), seen)).toBe(price);
    expect(seen).toBeLessThan(price);
    expect(slow.isOpen).toBe(true);
  });
});

describe('the simulated feed', () => {
  it('runs where NODE_ENV says development or nothing, and nowhere else', () => {
    const secrets = {
      TRUNKLINE_JWT_SECRET: 'a-secret-that-is-long-enough-for-this-0123',
      TRUNKLINE_ALLOWED_ORIGINS: 'https://example.org',
    };
    const simulates = (mode?: string): boolean =>
      loadConfig({ ...secrets, ...(mode === undefined ? {} : { NODE_ENV: mode }) }).config.server.simulate;
    expect([undefined, '', 'development', ' development '].map(simulates)).toEqual([true, true, true, true]);
    expect(['test', 'production', 'prod', 'staging'].map(simulates)).toEqual([false, false, false, false]);
  });

  it('is not there in tests', async () => {
    expect(() => server.app.get(PricesFeed, { strict: false })).toThrow();
    expect((await server.realtime.history('prices:ACME')).messages).toEqual([]);
  });

  it('moves the prices of a development server, and lets it end', async () => {
    const development = await startE2e({ env: { NODE_ENV: 'development' } });
    onTestFinished(() => development.close());
    const client = await development.join(undefined);
    const { data } = await client.request('subscribe', { channel: 'prices:ACME' });
    expect(data.messages.map((message) => message.event)).toEqual(['tick']);
    const prices = [];
    for (let n = 0; n < 3; n++) prices.push((await client.next('message')).data.data);
    for (const price of prices) expect(price).toEqual({ price: expect.any(Number) as unknown });
    client.cut();
    await development.close();
    expect(development.app.get(PricesFeed, { strict: false })).toBeInstanceOf(PricesFeed);
  });
});
