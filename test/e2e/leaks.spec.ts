// After a storm of connections that come, subscribe and go, nothing of them is left.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { report, startE2e, type E2eServer } from '../support/e2e-server.js';
import { until } from '../support/wait.js';
import type { WsClient } from '../support/ws-client.js';

const CONNECTIONS = 3000;
const AT_ONCE = 50;

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({
    rules: [{ channel: 'leak:{name}', presence: true, history: { size: 10, ttl: '1m' } }],
  });
});
afterAll(() => server.close());

/** One client's life; each third ends in another way, and each fifth before its subscribe is answered. */
async function live(n: number): Promise<void> {
  const client = await server.join(`user-${n % 200}`);
  const channel = `leak:${n % 100}`;
  if (n % 5 === 0) {
    client.send({ event: 'subscribe', id: 1, data: { channel, presence: true } });
    client.cut();
    await client.closed;
    return;
  }
  await client.subscribe(channel, { presence: true });
  await client.subscribe('chat:leak');
  if (n % 7 === 0) await client.publish(channel, n);
  await end(client, n);
}

async function end(client: WsClient, n: number): Promise<void> {
  if (n % 3 === 0) client.cut();
  else if (n % 3 === 1) await client.close();
  else {
    await client.ok('unsubscribe', { channel: 'chat:leak' });
    client.sendText('{'.repeat(10));
    await client.close(4000);
  }
  await client.closed;
}

async function storm(count: number): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await live(next++);
    }),
  );
}

async function settle(): Promise<void> {
  const { hub, presence } = server.core;
  await until(
    async () =>
      hub.sessionCount +
        hub.userCount +
        hub.channelCount +
        presence.pending +
        (await server.connections()) ===
      0,
    'everything to be freed',
    20_000,
  );
}

/** MB of heap that is in use after a full collection. */
function heapMb(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 1e6;
}

describe(`${CONNECTIONS} connections that come, subscribe and go`, () => {
  it('leave no session, user, channel, leave or socket behind', async () => {
    await storm(300);
    await settle();
    const before = heapMb();
    await storm(CONNECTIONS);
    await settle();
    const { hub, presence } = server.core;
    expect(hub.sessionCount).toBe(0);
    expect(hub.userCount).toBe(0);
    expect(hub.channelCount).toBe(0);
    expect(presence.pending).toBe(0);
    expect(await server.connections()).toBe(0);
    for (const channel of ['chat:leak', 'leak:0', 'leak:99'])
      expect(await server.realtime.members(channel)).toEqual([]);
    report(`heap ${before.toFixed(1)} MB after 300, ${heapMb().toFixed(1)} MB after ${CONNECTIONS} more`);
  }, 180_000);
});
