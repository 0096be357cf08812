// A publication is encoded once, however many sessions of this instance hear it.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Push } from '../../src/protocol/frames.js';
import { WS_JSON } from '../../src/transports/ws/ws.format.js';
import { report, startE2e, type E2eServer } from '../support/e2e-server.js';
import { disposeClients, type WsClient } from '../support/ws-client.js';

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({
    rules: [
      { channel: 'fan:{name}', history: { size: 100, ttl: '1m' } },
      { channel: 'room:{name}', presence: true },
    ],
  });
});
afterEach(disposeClients);
afterAll(() => server.close());

function listeners(count: number, channel: string, more: object = {}): Promise<readonly WsClient[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const client = await server.join(`user-${i}`);
      await client.subscribe(channel, more);
      return client;
    }),
  );
}

/** What the wire format was asked to encode, by type. */
function countPushes(): (type: Push['type']) => number {
  const spy = vi.spyOn(WS_JSON, 'push');
  return (type) => spy.mock.calls.filter(([push]) => push.type === type).length;
}

describe('a publication to 500 sessions', () => {
  it('is encoded once, and all get the same text', async () => {
    const clients = await listeners(500, 'fan:one');
    const encoded = countPushes();
    let longestMs = 0;
    for (let n = 1; n <= 20; n++) {
      const start = performance.now();
      await server.realtime.publish('fan:one', 'tick', { n, text: 'é'.repeat(32) });
      // The flush is the next thing in the loop; after it the loop is free again.
      await new Promise((resolve) => setImmediate(resolve));
      longestMs = Math.max(longestMs, performance.now() - start);
    }
    await Promise.all(clients.map((client) => client.next('message', ({ data }) => data.offset === 20)));
    expect(encoded('message')).toBe(20);
    const [first] = clients as [WsClient];
    const texts = first.frames.filter(({ event }) => event === 'message');
    expect(texts).toHaveLength(20);
    for (const { frames } of clients)
      expect(frames.filter(({ event }) => event === 'message')).toEqual(texts);
    report(
      `20 publications to 500 sockets: the loop was busy with one for ${longestMs.toFixed(1)} ms at most`,
    );
  });

  it('is encoded once when one session spares itself its copy', async () => {
    const clients = await listeners(20, 'fan:two');
    const [first] = clients as [WsClient];
    const encoded = countPushes();
    await first.publish('fan:two', 1, { echo: false });
    await Promise.all(clients.slice(1).map((client) => client.next('message')));
    await first.expectNone('message');
    expect(encoded('message')).toBe(1);
  });
});

describe('a join that 50 sessions hear', () => {
  it('is encoded once', async () => {
    const clients = await listeners(50, 'room:one', { presence: true });
    await Promise.all(clients.map((client) => client.settled()));
    const encoded = countPushes();
    const late = await server.join('late');
    await late.subscribe('room:one');
    await Promise.all(
      clients.map((client) => client.next('join', ({ data }) => data.member.user === 'late')),
    );
    expect(encoded('join')).toBe(1);
  });
});
