// How a server ends: a paced drain on SIGTERM, at once on the second, quickly in process, and what a client finds after a kill -9.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { rulesFile, startE2e } from '../support/e2e-server.js';
import { killProcesses, startProcess, type ServerProcess } from '../support/processes.js';
import { connect, disposeClients, refused, type WsClient } from '../support/ws-client.js';
import { until } from '../support/wait.js';

const DRAIN_MS = 2000;
const CLIENTS = 20;

// Each process is a start of Node; two in one test take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

afterEach(async () => {
  disposeClients();
  await killProcesses();
});

async function crowd(server: ServerProcess, count: number): Promise<readonly WsClient[]> {
  const clients = await Promise.all(
    Array.from({ length: count }, (_, i) => connect(server.wsUrl, { token: server.token(`user-${i}`) })),
  );
  await Promise.all(clients.map((client) => client.subscribe('chat:drain')));
  return clients;
}

describe('SIGTERM', () => {
  it('turns readiness off, refuses newcomers, tells everyone a moment of their own, and ends with code 0', async () => {
    const server = await startProcess({ TRUNKLINE_DRAIN_MS: String(DRAIN_MS) });
    const clients = await crowd(server, CLIENTS);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);

    const start = performance.now();
    server.signal('SIGTERM');
    const moments = await Promise.all(
      clients.map(async (client) => {
        const { data } = await client.next('reconnect');
        return { afterMs: data['afterMs'] as number, reason: data['reason'], closed: client.closed };
      }),
    );
    const [ready, live, newcomer] = await Promise.all([
      fetch(`${server.url}/health/ready`),
      fetch(`${server.url}/health/live`),
      refused(server.wsUrl, { token: server.token('late') }),
    ]);
    expect([ready.status, live.status]).toEqual([503, 200]);
    expect(await ready.json()).toMatchObject({ draining: true });
    expect([newcomer.status, newcomer.code]).toEqual([503, 'unavailable']);
    expect(Number(newcomer.headers['retry-after'])).toBeGreaterThan(0);

    const slot = DRAIN_MS / CLIENTS;
    const sorted = moments.map(({ afterMs }) => afterMs).sort((a, b) => a - b);
    sorted.forEach((afterMs, place) => {
      expect(afterMs).toBeGreaterThanOrEqual(Math.floor(place * slot));
      expect(afterMs).toBeLessThanOrEqual(Math.ceil((place + 1) * slot));
    });
    await Promise.all(
      moments.map(async ({ afterMs, reason, closed }) => {
        expect(reason).toBe('drain');
        expect(await closed).toEqual({ code: 1001, reason: 'going away' });
        const took = performance.now() - start;
        expect(took).toBeGreaterThan(afterMs - 50);
        expect(took).toBeLessThan(afterMs + 1500);
      }),
    );
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - start).toBeLessThan(DRAIN_MS + 3000);
  });

  it('lets sessions work until their moment has come', async () => {
    const server = await startProcess({ TRUNKLINE_DRAIN_MS: String(DRAIN_MS) });
    const clients = await crowd(server, 4);
    server.signal('SIGTERM');
    const moments = await Promise.all(clients.map((client) => client.next('reconnect')));
    const last = clients[
      moments.findIndex(({ data }) => (data['afterMs'] as number) > DRAIN_MS * 0.75)
    ] as WsClient;
    const text = 'still here';
    const { id } = await last.ok('publish', { channel: 'chat:drain', event: 'message', data: { text } });
    await last.next('message', ({ data }) => data.id === id);
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });

  it('ends at once when nobody is connected', async () => {
    const server = await startProcess({ TRUNKLINE_DRAIN_MS: '60000' });
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('waits no longer than its limit for a peer that does not answer the close', async () => {
    const server = await startProcess({ TRUNKLINE_DRAIN_MS: '200' });
    const [client] = (await crowd(server, 1)) as [WsClient];
    client.stopReading();
    const start = performance.now();
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(performance.now() - start).toBeLessThan(8000);
  });

  it('a second time ends the process at once', async () => {
    const server = await startProcess({ TRUNKLINE_DRAIN_MS: '60000' });
    const clients = await crowd(server, 4);
    server.signal('SIGTERM');
    await Promise.all(clients.map((client) => client.next('reconnect')));
    const start = performance.now();
    const { code, signal } = await server.kill('SIGTERM');
    expect(performance.now() - start).toBeLessThan(2000);
    expect([code, signal]).toEqual([1, null]);
  });
});

describe('SIGINT', () => {
  it('drains within a second, however long the window is', async () => {
    const server = await startProcess({ TRUNKLINE_DRAIN_MS: '60000' });
    const clients = await crowd(server, 4);
    const start = performance.now();
    expect(await server.kill('SIGINT')).toEqual({ code: 0, signal: null });
    expect(performance.now() - start).toBeLessThan(4000);
    for (const client of clients) expect((await client.closed).code).toBe(1001);
  });
});

describe('closing the application in process', () => {
  it('with open sockets resolves quickly, and all are told 1001', async () => {
    const server = await startE2e();
    const clients = await Promise.all(Array.from({ length: 50 }, (_, i) => server.join(`user-${i}`)));
    await Promise.all(clients.map((client) => client.subscribe('chat:end')));
    const start = performance.now();
    await server.app.close();
    expect(performance.now() - start).toBeLessThan(2500);
    for (const client of clients) expect(await client.closed).toEqual({ code: 1001, reason: 'going away' });
    expect(server.stats().sessions).toBe(0);
    await server.close();
  });

  it('is not held up by a peer that reads nothing, nor by an idle HTTP connection', async () => {
    const server = await startE2e();
    const client = await server.join('ana');
    await client.subscribe('chat:end');
    client.stopReading();
    await fetch(`${server.url}/health/live`, { headers: { connection: 'keep-alive' } });
    const start = performance.now();
    await server.app.close();
    expect(performance.now() - start).toBeLessThan(6000);
    await server.close();
  });

  it('right after an upgrade began leaves nothing behind', async () => {
    const server = await startE2e();
    const coming = Promise.allSettled(Array.from({ length: 20 }, (_, i) => server.join(`user-${i}`)));
    await server.app.close();
    for (const outcome of await coming) if (outcome.status === 'fulfilled') await outcome.value.closed;
    expect(server.stats().sessions).toBe(0);
    await server.close();
  });
});

describe('kill -9 and a new process on the same port', () => {
  it('the memory backplane has lost its history, and a client that resumes is told so', async () => {
    const rules = rulesFile([{ channel: 'kept:{name}', history: { size: 10, ttl: '1m' } }]);
    const env = { TRUNKLINE_CHANNELS_FILE: rules.path };
    try {
      const first = await startProcess(env);
      const before = await connect(first.wsUrl, { token: first.token('ana') });
      await before.subscribe('kept:one');
      const { epoch, offset, id } = await before.publish('kept:one', 'before');
      expect(await first.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
      expect((await before.closed).code).toBe(1006);

      const second = await startProcess({ ...env, PORT: String(first.port) });
      expect(second.port).toBe(first.port);
      const after = await connect(second.wsUrl, { token: first.token('ana') });
      const reply = await after.subscribe('kept:one', { since: { epoch, offset, id } });
      expect(reply).toMatchObject({ recovered: false, reason: 'epoch_changed', messages: [], offset: 0 });
      expect(reply.epoch).not.toBe(epoch);
      await after.publish('kept:one', 'after');
      expect((await after.next('message')).data).toMatchObject({ offset: 1, data: 'after' });
    } finally {
      rules.remove();
    }
  });
});

describe('a start that cannot be', () => {
  it('on a port that is taken ends with a code and says why', async () => {
    const server = await startProcess();
    await expect(startProcess({ PORT: String(server.port) })).rejects.toThrow(/EADDRINUSE/);
    await until(
      async () => (await fetch(`${server.url}/health/live`)).status === 200,
      'the first to live on',
    );
  });
});
