// Connections that vanish without a word (G19): the reader notices by the missing heartbeat, the server frees them by its bound, nothing is lost.

import { afterEach, describe, expect, it } from 'vitest';
import { Trunkline } from '../../client/src/index.js';
import { ChaosProxy } from '../support/chaos-proxy.js';
import { poll, type PollAnswer } from '../support/poll-client.js';
import { openSse } from '../support/sse-client.js';
import { startStreams, type StreamServer } from '../support/stream-server.js';
import { until } from '../support/wait.js';

const HEARTBEAT_MS = 100;
const LIFE_MS = 1500;
const CLOSE_MS = 300;
const POLL_SECONDS = 1;

let server: StreamServer;
let proxy: ChaosProxy;
afterEach(async () => {
  await server.close();
  await proxy.close();
});

async function start(): Promise<void> {
  server = await startStreams({
    sse: { heartbeatMs: HEARTBEAT_MS, maxStreamMs: LIFE_MS, closeTimeoutMs: CLOSE_MS },
  });
  proxy = await ChaosProxy.start({ target: server.port });
}

describe('a stream in a black hole', () => {
  it('falls silent for its reader within two heartbeats, who resumes elsewhere with exactly the missed', async () => {
    await start();
    const token = server.token('ana');
    const stream = await openSse(proxy.url, ['room:a'], { token });
    const { heartbeatMs } = await stream.ready();
    expect(heartbeatMs).toBe(HEARTBEAT_MS);
    await until(() => stream.comments.length >= 2, 'the heartbeat');
    proxy.blackHole();
    await server.realtime.publish('room:a', 'tick', 'missed');
    const darkAt = performance.now();
    await until(() => performance.now() - stream.lastByteAt > 2 * heartbeatMs, 'the silence', 2000);
    expect(performance.now() - darkAt).toBeLessThan(LIFE_MS);
    expect(stream.isOpen, 'nobody told it').toBe(true);

    const back = await openSse(server.url, ['room:a'], { token, lastEventId: stream.lastEventId });
    expect((await back.next('message')).data.data).toBe('missed');
  });

  it('is freed by the server when its longest life is over, though nothing can be told to its peer', async () => {
    await start();
    const stream = await openSse(proxy.url, ['room:a'], { token: server.token('lost') });
    await stream.ready();
    const openedAt = performance.now();
    proxy.blackHole();
    stream.destroy();
    await until(
      () => server.realtime.sessions('lost').length === 0,
      'the session to be freed',
      LIFE_MS + 3000,
    );
    expect(performance.now() - openedAt).toBeGreaterThan(LIFE_MS * 0.5);
    expect(server.core.hub.sessionCount).toBe(0);
  });
});

describe('the client in a black hole', () => {
  it.each(['sse', 'polling'] as const)(
    'notices over %s, waits, and once the network is back has every message exactly once',
    async (transport) => {
      await start();
      const client = new Trunkline(proxy.url, {
        token: server.token('sdk'),
        headers: {},
        transports: [transport],
        pollSeconds: POLL_SECONDS,
        requestTimeoutMs: 1000,
        minDelayMs: 50,
        maxDelayMs: 300,
        logger: { warn: () => {} },
      });
      const states: string[] = [];
      client.on('state', ({ state }) => void states.push(state));
      const seen: unknown[] = [];
      const gaps: unknown[] = [];
      const channel = client.channel('room:sdk');
      channel.on('message', ({ data }) => void seen.push(data));
      channel.on('gap', (gap) => void gaps.push(gap));
      await channel.subscribe();
      await server.realtime.publish('room:sdk', 'tick', 1);
      await until(() => seen.length === 1, 'the first message');

      proxy.blackHole();
      // A heartbeat and a half: that of the stream, or for polls their wait and five seconds. The rest is for a busy machine.
      const boundMs = 1.5 * (transport === 'sse' ? HEARTBEAT_MS : POLL_SECONDS * 1000 + 5000) + 1000;
      await until(() => client.state !== 'connected', 'the client to notice', boundMs);
      await server.realtime.publish('room:sdk', 'tick', 2);
      await server.realtime.publish('room:sdk', 'tick', 3);
      proxy.killAll();
      proxy.heal();
      await until(() => seen.length === 3, 'the missed');
      await server.realtime.publish('room:sdk', 'tick', 4);
      await until(() => seen.length === 4, 'the live one').finally(() => client.close());
      expect([seen, gaps]).toEqual([[1, 2, 3, 4], []]);
      expect(states).toContain('waiting');
    },
  );
});

describe('a waiting poll in a black hole', () => {
  it('is freed by the end of its wait, and asked again loses nothing', async () => {
    await start();
    const options = { token: server.token('ana') };
    const { cursor } = (await poll(proxy.url, ['room:a'], options)).body;
    const controller = new AbortController();
    const waiting: Promise<PollAnswer | undefined> = poll(proxy.url, ['room:a'], {
      ...options,
      cursor,
      wait: 1,
      signal: controller.signal,
    }).catch(() => undefined);
    await until(() => server.core.hub.sessionCount === 1, 'the poll to wait');
    proxy.blackHole();
    controller.abort();
    expect(await waiting).toBeUndefined();
    await until(() => server.core.hub.sessionCount === 0, 'the wait to end', 4000);
    await server.realtime.publish('room:a', 'tick', 'missed');
    const { body } = await poll(server.url, ['room:a'], { ...options, cursor, wait: 0 });
    expect(body.messages.map(({ data }) => data)).toEqual(['missed']);
  });
});
