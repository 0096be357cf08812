// Polling loses nothing (G26): answers that never arrive, polls that break off, two with one cursor, one that comes too late.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ChaosProxy, type Fault } from '../support/chaos-proxy.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { pacedPublisher } from '../support/fast-publisher.js';
import { poll, PollClient, type PollAnswer, type PollOptions } from '../support/poll-client.js';
import { SeededRandom } from '../support/seeded-random.js';
import { until } from '../support/wait.js';

const SEED = 20_263;

let server: E2eServer;
let proxy: ChaosProxy | undefined;
let count = 0;
beforeAll(async () => {
  server = await startE2e({
    rules: [
      { channel: 'room:{name}', history: { size: 5000, ttl: '1m' } },
      { channel: 'brief:{name}', history: { size: 10, ttl: 200 } },
    ],
  });
});
afterEach(async () => proxy?.close());
afterAll(() => server.close());

const newChannel = (family = 'room'): string => `${family}:${++count}`;
const readerOf = (channel: string, base = server.url): PollClient =>
  new PollClient(base, [channel], { token: server.token('ana') });
const publish = async (channel: string, ...payloads: readonly unknown[]): Promise<void> => {
  for (const data of payloads) await server.realtime.publish(channel, 'tick', data);
};
const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, i) => i + 1);
const offsetsOf = ({ body }: PollAnswer): readonly number[] => body.messages.map(({ offset }) => offset);

describe('two polls with one cursor', () => {
  it('get the same answer, asked one after the other', async () => {
    const channel = newChannel();
    const reader = readerOf(channel);
    await reader.next();
    await publish(channel, 1, 2, 3);
    const [first, second] = [await reader.peek(), await reader.peek()];
    expect(offsetsOf(first)).toEqual([1, 2, 3]);
    expect(second.text).toBe(first.text);
    expect(second.headers.get('etag')).toBe(first.headers.get('etag'));
  });

  it('get the same answer, one having waited and one asked later', async () => {
    const channel = newChannel();
    const reader = new PollClient(server.url, [channel], { token: server.token('twin') });
    await reader.next();
    const waits = [reader.peek({ wait: 10 }), reader.peek({ wait: 10 })];
    await until(() => server.realtime.sessions('twin').length === 2, 'both to wait');
    await publish(channel, { text: 'for both', list: [1, 2] });
    const [first, second] = (await Promise.all(waits)) as [PollAnswer, PollAnswer];
    const later = await reader.peek({ wait: 0 });
    expect(offsetsOf(first)).toEqual([1]);
    expect([second.text, later.text]).toEqual([first.text, first.text]);
  });
});

describe('an answer that never arrives', () => {
  it('is asked for again with the same cursor, and nothing is missing or doubled', async () => {
    const channel = newChannel();
    const random = new SeededRandom(SEED);
    const reader = readerOf(channel);
    await reader.next();
    const publisher = pacedPublisher(server.realtime, channel);
    const seen: number[] = [];
    for (let round = 0; round < 60; round++) {
      if (random.below(2) === 0) seen.push(...offsetsOf(await reader.next({ wait: 1 })));
      else await broken(reader, random.below(6));
    }
    const total = await publisher.stop();
    while (seen.length < total) seen.push(...offsetsOf(await reader.next({ wait: 0 })));
    expect(seen).toEqual(upTo(total));
  });

  /** Gives up after some turns of the event loop, whether or not the answer is on its way. */
  async function broken(reader: PollClient, turns: number): Promise<void> {
    const controller = new AbortController();
    const asked = reader.peek({ wait: 1, signal: controller.signal }).catch(() => undefined);
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await asked;
  }
});

describe('a poll that breaks off while it waits', () => {
  it('loses nothing, and the server does not hold on to it', async () => {
    const channel = newChannel();
    const reader = new PollClient(server.url, [channel], { token: server.token('breaker') });
    const waits = (): number => server.realtime.sessions('breaker').length;
    await reader.next();
    for (let n = 1; n <= 20; n++) {
      const controller = new AbortController();
      const waiting = reader.peek({ wait: 20, signal: controller.signal }).catch(() => undefined);
      await until(() => waits() === 1, 'it to wait');
      // Gone before the message, or with the answer on its way.
      if (n % 2 === 0) controller.abort();
      const published = publish(channel, n);
      controller.abort();
      await Promise.all([waiting, published]);
      await until(() => waits() === 0, 'it to be freed', 2000);
      expect((await reader.next({ wait: 0 })).body.messages.map(({ data }) => data)).toEqual([n]);
    }
  });
});

describe('through a bad network', () => {
  it('every message is read exactly once, in order', async () => {
    const faults: readonly Fault[] = [
      'none',
      'none',
      'delay',
      'reset',
      'end',
      'cut-response',
      'half-close',
      'stall',
    ];
    proxy = await ChaosProxy.start({
      target: server.port,
      seed: SEED,
      faults,
      strikeMs: [5, 150],
      stallMs: [50, 200],
      delayMs: [2, 20],
      cutAfter: [20, 1500],
    });
    const channel = newChannel();
    const reader = readerOf(channel, proxy.url);
    while (reader.cursor === undefined) await attempt(reader, { wait: 0 });
    const seen: number[] = [];
    let published = 0;
    const end = performance.now() + 4000;
    while (performance.now() < end) {
      await publish(channel, ++published, ++published);
      // A connection of its own for each, so that each draws its fault.
      seen.push(...(await attempt(reader, { wait: 1, headers: { connection: 'close' } })));
    }
    proxy.heal();
    while (seen.length < published) seen.push(...offsetsOf(await reader.next({ wait: 0 })));
    expect(seen).toEqual(upTo(published));
    expect(proxy.drawn.size).toBe(new Set(faults).size);
  });

  async function attempt(reader: PollClient, options: PollOptions): Promise<readonly number[]> {
    try {
      return offsetsOf(await reader.next({ ...options, signal: AbortSignal.timeout(1000) }));
    } catch {
      return [];
    }
  }
});

describe('a poll that comes too late', () => {
  it('is told a gap with its reason, and goes on from there', async () => {
    const channel = newChannel('brief');
    await publish(channel, 0);
    const reader = readerOf(channel);
    await reader.next();
    await publish(channel, 1, 2);
    await until(async () => {
      const { messages } = await server.realtime.history(channel);
      return messages.length === 0;
    }, 'the history to expire');
    const { body } = await reader.next({ wait: 5 });
    expect(body.messages).toEqual([]);
    expect(body.gaps).toHaveLength(1);
    const [gap] = body.gaps ?? [];
    expect(['expired', 'epoch_changed']).toContain(gap?.reason);
    expect(gap).toMatchObject({ channel, epoch: expect.any(String) as string });

    await publish(channel, 'live');
    const next = await reader.next({ wait: 5 });
    expect(next.body.messages.map(({ data }) => data)).toEqual(['live']);
    expect(next.body).not.toHaveProperty('gaps');
  });

  it('is told how many are missing when only the oldest are gone', async () => {
    const channel = newChannel('brief');
    await publish(channel, 0);
    const reader = readerOf(channel);
    await reader.next();
    await publish(channel, ...upTo(15));
    const { body } = await reader.next({ wait: 0 });
    expect(body.gaps).toMatchObject([{ channel, from: 2, to: 16, count: 15, reason: 'expired' }]);
  });
});

describe('a poll of several channels', () => {
  it('loses nothing in any of them when answers get lost', async () => {
    const channels = [newChannel(), newChannel(), newChannel()];
    const options = { token: server.token('ana') };
    const reader = new PollClient(server.url, channels, options);
    await reader.next();
    const publishers = channels.map((channel) => pacedPublisher(server.realtime, channel));
    const seen = new Map<string, number[]>(channels.map((channel) => [channel, []]));
    const take = ({ body }: PollAnswer): void => {
      for (const { channel, offset } of body.messages) seen.get(channel)?.push(offset);
      expect(body).not.toHaveProperty('gaps');
    };
    for (let round = 0; round < 40; round++) {
      if (round % 3 === 0) await poll(server.url, channels, { ...options, cursor: reader.cursor, wait: 1 });
      else take(await reader.next({ wait: 1 }));
    }
    const totals = await Promise.all(publishers.map((publisher) => publisher.stop()));
    take(await reader.next({ wait: 0 }));
    expect(channels.map((channel) => seen.get(channel))).toEqual(totals.map((total) => upTo(total)));
  });
});
