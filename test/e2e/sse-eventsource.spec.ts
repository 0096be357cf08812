// A native-like EventSource (the package `eventsource`): it reads, comes back by itself with its last id, and loses nothing in a bad network.

import { EventSource, type FetchLike } from 'eventsource';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ChaosProxy, type Fault } from '../support/chaos-proxy.js';
import { startStreams, type StreamServer } from '../support/stream-server.js';
import { until } from '../support/wait.js';
import type { Message } from '../support/ws-client.js';

const SEED = 20_265;
const FAULTS: readonly Fault[] = [
  'none',
  'delay',
  'throttle',
  'stall',
  'reset',
  'end',
  'half-close',
  'cut-response',
  'refuse',
];

let server: StreamServer;
const sources: EventSource[] = [];
let proxy: ChaosProxy | undefined;
beforeAll(async () => {
  server = await startStreams({
    rules: [{ channel: 'room:{name}', history: { size: 5000, ttl: '1m' } }],
    sse: { retryMs: 50, heartbeatMs: 100 },
  });
});
afterEach(async () => {
  for (const source of sources.splice(0)) source.close();
  await proxy?.close();
});
afterAll(() => server.close());

interface Reader {
  readonly source: EventSource;
  readonly messages: Message[];
  /** Ids of the sessions it has had. */
  readonly sessions: string[];
  /** Resumes that were refused, which lose something. */
  readonly refused: string[];
  /** Statuses of the answers it got. */
  readonly statuses: number[];
}

function read(base: string, channel: string, user = 'ana'): Reader {
  const statuses: number[] = [];
  const withToken: FetchLike = async (url, init) => {
    const headers = { ...init.headers, authorization: `Bearer ${server.token(user)}` };
    const response = await fetch(url, { ...init, headers, signal: init.signal as AbortSignal });
    statuses.push(response.status);
    return response;
  };
  const source = new EventSource(`${base}/sse?channel=${channel}`, { fetch: withToken });
  sources.push(source);
  const reader: Reader = { source, messages: [], sessions: [], refused: [], statuses };
  source.addEventListener('ready', ({ data }) => {
    const ready = JSON.parse(String(data)) as { session: string; channels: { reason?: string }[] };
    reader.sessions.push(ready.session);
    reader.refused.push(...ready.channels.flatMap(({ reason }) => (reason === undefined ? [] : [reason])));
  });
  source.addEventListener(
    'message',
    ({ data }) => void reader.messages.push(JSON.parse(String(data)) as Message),
  );
  return reader;
}

const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, i) => i + 1);

describe('an EventSource', () => {
  it('reads, and comes back by itself with exactly what it missed', async () => {
    proxy = await ChaosProxy.start({ target: server.port });
    const reader = read(proxy.url, 'room:back');
    await until(() => reader.sessions.length === 1, 'the stream');
    await server.realtime.publish('room:back', 'tick', 'live');
    await until(() => reader.messages.length === 1, 'the live message');
    proxy.killAll();
    await server.realtime.publish('room:back', 'tick', 'missed 1');
    await server.realtime.publish('room:back', 'tick', 'missed 2');
    await until(() => reader.sessions.length === 2, 'its return');
    await server.realtime.publish('room:back', 'tick', 'live again');
    await until(() => reader.messages.length >= 4, 'all');
    expect(reader.messages.map(({ data }) => data)).toEqual(['live', 'missed 1', 'missed 2', 'live again']);
  });

  it('that was cut before its first message resumes too', async () => {
    proxy = await ChaosProxy.start({ target: server.port });
    const reader = read(proxy.url, 'room:early');
    await until(() => reader.sessions.length === 1, 'the stream');
    proxy.killAll();
    await server.realtime.publish('room:early', 'tick', 'missed');
    await until(() => reader.messages.length === 1, 'the missed one');
  });

  it('reads every message exactly once and in order through a bad network', async () => {
    proxy = await ChaosProxy.start({
      target: server.port,
      seed: SEED,
      faults: FAULTS,
      strikeMs: [20, 400],
      stallMs: [50, 300],
      cutAfter: [1, 6000],
    });
    const readers = upTo(4).map((n) => read(proxy?.url ?? '', 'room:chaos', `user-${n}`));
    // A refused connection counts as a failed one: it comes back. Before the first `ready` it has no place yet.
    await until(() => readers.every(({ sessions }) => sessions.length > 0), 'all to have begun', 15_000);
    let published = 0;
    const { drawn } = proxy;
    const hurt = (): boolean =>
      drawn.size > 5 && Math.max(...readers.map(({ sessions }) => sessions.length)) > 2;
    const end = performance.now() + 5000;
    // A busy machine opens fewer connections in that time, and meets fewer faults.
    while (performance.now() < end || (!hurt() && performance.now() < end + 5000)) {
      await server.realtime.publish('room:chaos', 'tick', {
        n: ++published,
        filler: 'x'.repeat(published % 300),
      });
      if (published % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    proxy.heal();
    const last = (reader: Reader): unknown => reader.messages.at(-1)?.offset;
    await until(() => readers.every((reader) => last(reader) === published), 'all to be at the top', 15_000);
    for (const { messages, refused } of readers) {
      expect(messages.map(({ offset }) => offset)).toEqual(
        upTo(published).slice((messages[0]?.offset ?? 1) - 1),
      );
      expect(refused).toEqual([]);
    }
    expect(hurt()).toBe(true);
  }, 60_000);

  it('whose user was disconnected for good comes back once, is told 204, and stays away', async () => {
    const reader = read(server.url, 'room:revoked', 'revoked');
    await until(() => reader.sessions.length === 1, 'the stream');
    await server.realtime.disconnect('revoked');
    await until(() => reader.source.readyState === EventSource.CLOSED, 'it to give up');
    expect(reader.statuses).toEqual([200, 204]);
    expect(reader.sessions).toHaveLength(1);
  });

  it('whose stream has lived its longest goes on with the next', async () => {
    const other = await startStreams({ sse: { maxStreamMs: 1000, retryMs: 10 } });
    const token = other.token('ana');
    const source = new EventSource(`${other.url}/sse?channel=room:a`, {
      fetch: (url, init) =>
        fetch(url, {
          ...init,
          headers: { ...init.headers, authorization: `Bearer ${token}` },
          signal: init.signal as AbortSignal,
        }),
    });
    sources.push(source);
    const seen: number[] = [];
    const streams: Event[] = [];
    source.addEventListener('ready', (event) => void streams.push(event));
    source.addEventListener(
      'message',
      ({ data }) => void seen.push((JSON.parse(String(data)) as Message).offset),
    );
    await until(() => streams.length === 1, 'the first stream');
    let published = 0;
    while (streams.length < 3) {
      await other.realtime.publish('room:a', 'tick', ++published);
      await new Promise((resolve) => setImmediate(resolve));
      if (published % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await until(() => seen.at(-1) === published, 'the last one');
    expect(seen).toEqual(upTo(published));
    source.close();
    await other.close();
  });
});
