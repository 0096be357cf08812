// The server pings each connection, and drops one that does not answer for one heartbeat more.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { until } from '../support/wait.js';
import { disposeClients } from '../support/ws-client.js';

const HEARTBEAT_MS = 1000;

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({ env: { TRUNKLINE_HEARTBEAT_MS: String(HEARTBEAT_MS) } });
});
afterEach(disposeClients);
afterAll(() => server.close());

describe('a peer', () => {
  it('is told the period in its welcome', async () => {
    const client = await server.join('ana');
    expect((await client.next('welcome')).data['heartbeatMs']).toBe(HEARTBEAT_MS);
  });

  it('that answers no ping is closed 4201 within two periods, and its session is gone', async () => {
    const start = performance.now();
    const client = await server.join('ana', { ws: { autoPong: false } });
    expect(await client.closed).toEqual({ code: 4201, reason: 'heartbeat missed' });
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(HEARTBEAT_MS);
    expect(took).toBeLessThan(2 * HEARTBEAT_MS + 1500);
    expect(server.realtime.sessions('ana')).toEqual([]);
  });

  it('that reads nothing any more is freed with its connection', async () => {
    const before = await server.connections();
    const client = await server.join('ben');
    await client.subscribe('chat:silent');
    client.stopReading();
    await until(() => server.realtime.sessions('ben').length === 0, 'the session to end');
    await until(async () => (await server.connections()) === before, 'the connection to be freed');
    client.readOn();
    expect([1006, 4201]).toContain((await client.closed).code);
  });

  it('that answers stays, however many there are', async () => {
    const clients = await Promise.all(Array.from({ length: 60 }, (_, i) => server.join(`user-${i}`)));
    await until(() => clients.every(({ pings }) => pings >= 3), 'three pings for everyone');
    await Promise.all(clients.map((client) => client.settled()));
  });

  it('that waits for its publishes longer than its pongs may take stays: the server does not read it meanwhile', async () => {
    const { publisher } = server.core;
    const append = publisher.append.bind(publisher);
    let open: () => void = () => {};
    const stalled = new Promise<void>((resolve) => (open = resolve));
    publisher.append = async (prepared) => {
      await stalled;
      return append(prepared);
    };
    const [busy, other] = await Promise.all([server.join('busy'), server.join('other')]);
    for (let id = 1; id <= 200; id++)
      busy.send({
        event: 'publish',
        id,
        data: { channel: 'chat:slow', event: 'message', data: { text: 'x' } },
      });
    const from = other.pings;
    await until(() => other.pings >= from + 4, 'four periods');
    expect(busy.isOpen).toBe(true);
    open();
    await until(() => busy.frames.some(({ id }) => id === 200), 'the last answer');
    const before = busy.pings;
    await until(() => busy.pings >= before + 2, 'the pings to go on');
    publisher.append = append;
  });
});
