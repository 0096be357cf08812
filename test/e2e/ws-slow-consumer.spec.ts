// Twenty sockets that stop reading among two hundred good ones: memory stays bounded, each policy does what it says, the good ones get everything.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Overflow } from '../../src/core/policy.js';
import type { Session } from '../../src/core/session.js';
import { report, startE2e, type E2eServer } from '../support/e2e-server.js';
import { checkStream, type Stream } from '../support/stream-checker.js';
import { until } from '../support/wait.js';
import type { Frame, WsClient } from '../support/ws-client.js';

const POLICIES: readonly Overflow[] = ['disconnect', 'drop-oldest', 'drop-newest', 'conflate'];
const GOOD_EACH = 50;
const STALLED_EACH = 5;
const OUTBOX_BYTES = 262_144;
const PAYLOAD = 'x'.repeat(10_000);
const KEYS = 5;
/** The kernel takes some 4 MB for a peer that does not read; this is ten times that in frames of 10 kB. */
const MAX_ROUNDS = 4000;
/** Rounds that follow the first one in which a socket took no more: 600 kB, over twice the bound. */
const BLOCKED_ROUNDS = 60;

const channelOf = (policy: Overflow): string => `${policy}:one`;

/** Counts what comes without keeping it: ten thousand frames of 10 kB are too many to keep. */
class Tally {
  last = 0;
  messages = 0;
  toldMissing = 0;
  fault: string | undefined;

  readonly hear = (text: Buffer): void => {
    const head = text.toString('latin1', 0, 200);
    if (head.startsWith('{"event":"message"')) this.step(Number(/"offset":(\d+)/.exec(head)?.[1]), undefined);
    else if (head.startsWith('{"event":"gap"')) {
      const { data } = JSON.parse(text.toString()) as { data: { from: number; to: number } };
      this.step(data.from, data.to);
    }
  };

  private step(offset: number, to: number | undefined): void {
    if (offset !== this.last + 1) this.fault ??= `${offset} came after ${this.last}`;
    if (to === undefined) this.messages++;
    else this.toldMissing += to - offset + 1;
    this.last = to ?? offset;
  }
}

interface Stalled {
  readonly client: WsClient;
  readonly session: Session;
  blockedRounds: number;
  mostBytes: number;
}

let server: E2eServer;
let rounds = 0;
let sessionsBefore = 0;
const good = new Map<Overflow, readonly Tally[]>();
const stalled = new Map<Overflow, readonly Stalled[]>();
const loop = monitorEventLoopDelay({ resolution: 5 });

beforeAll(async () => {
  server = await startE2e({
    rules: POLICIES.map((overflow) => ({
      channel: `${overflow}:{name}`,
      overflow,
      history: { size: MAX_ROUNDS, ttl: '5m' },
    })),
    // A peer that reads nothing answers no ping either: the heartbeat would end it in the midst of a slow run.
    env: { TRUNKLINE_OUTBOX_BYTES: String(OUTBOX_BYTES), TRUNKLINE_HEARTBEAT_MS: '300000' },
  });
  for (const policy of POLICIES) {
    good.set(policy, await Promise.all(Array.from({ length: GOOD_EACH }, (_, i) => goodReader(policy, i))));
    stalled.set(
      policy,
      await Promise.all(Array.from({ length: STALLED_EACH }, (_, i) => stalledReader(policy, i))),
    );
  }
  sessionsBefore = server.stats().sessions;
  loop.enable();
  await publishUntilAllAreBlocked();
  loop.disable();
}, 90_000);
afterAll(() => server.close());

async function goodReader(policy: Overflow, index: number): Promise<Tally> {
  const tally = new Tally();
  let subscribed = (): void => {};
  const ready = new Promise<void>((resolve) => (subscribed = resolve));
  const client = await server.join(`good-${index}`, {
    onText: (text) => (text.toString('latin1', 0, 13) === '{"event":"ok"' ? subscribed() : tally.hear(text)),
  });
  client.send({ event: 'subscribe', id: 1, data: { channel: channelOf(policy) } });
  await ready;
  return tally;
}

async function stalledReader(policy: Overflow, index: number): Promise<Stalled> {
  const client = await server.join(`stalled-${index}`);
  const { data } = await client.next('welcome');
  await client.subscribe(channelOf(policy));
  client.stopReading();
  const session = server.core.hub.session(data.session) as Session;
  return { client, session, blockedRounds: 0, mostBytes: 0 };
}

async function publishUntilAllAreBlocked(): Promise<void> {
  const all = [...stalled.values()].flat();
  const readOn = new Set<Stalled>();
  while (all.some(({ session, blockedRounds }) => !session.ended && blockedRounds < BLOCKED_ROUNDS)) {
    if (++rounds > MAX_ROUNDS) throw new Error('The kernel took everything; no socket was ever full.');
    for (const policy of POLICIES)
      await server.realtime.publish(
        channelOf(policy),
        'tick',
        { round: rounds, PAYLOAD },
        { key: `k${rounds % KEYS}` },
      );
    await new Promise((resolve) => setImmediate(resolve));
    for (const reader of all) {
      const { session } = reader;
      reader.mostBytes = Math.max(reader.mostBytes, session.waitingBytes);
      if (!session.ended && session.waitingBytes > 0) reader.blockedRounds++;
      // A peer that reads again within the close time-out is told the code. The first of them never does.
      if (session.ended && !readOn.has(reader) && reader !== stalled.get('disconnect')?.[0]) {
        readOn.add(reader);
        reader.client.readOn();
      }
    }
  }
}

/** Reads the rest of a stalled socket; gives the stream and its gaps. */
async function readTheRest(
  { client }: Stalled,
  policy: Overflow,
): Promise<{ stream: Stream; gaps: Frame[] }> {
  client.readOn();
  await until(
    () => checkStream(client.frames, channelOf(policy)).standing?.offset === rounds,
    'the last offset',
  );
  const gaps = client.frames.filter(({ event }) => event === 'gap');
  return { stream: checkStream(client.frames, channelOf(policy)), gaps };
}

const readersOf = (policy: Overflow): readonly Stalled[] => stalled.get(policy) ?? [];
const roundOf = ({ data }: Frame): number => (data.data as { round: number }).round;

describe('twenty peers that stop reading', () => {
  it.each(POLICIES)('cost no more than the outbox bound each (%s)', async (policy) => {
    for (const { mostBytes } of readersOf(policy)) expect(mostBytes).toBeLessThanOrEqual(OUTBOX_BYTES);
    expect(Math.max(...readersOf(policy).map(({ mostBytes }) => mostBytes))).toBeGreaterThan(20_000);
  });

  it('leave two hundred good ones everything, in order', async () => {
    await until(
      () => [...good.values()].flat().every(({ last }) => last === rounds),
      'the good ones to get all',
    );
    for (const [policy, tallies] of good) {
      for (const { fault, messages, toldMissing } of tallies) {
        expect(fault).toBeUndefined();
        // Conflation may spare a reader an older value while its socket is busy for a moment; it is told.
        if (policy !== 'conflate') expect(toldMissing).toBe(0);
        expect(messages + toldMissing).toBe(rounds);
      }
    }
    const [max, p99] = [loop.max, loop.percentile(99)].map((ns) => (ns / 1e6).toFixed(1));
    report(
      `${rounds} rounds of 4 × 55 × 10 kB, server and clients in one process: loop delay p99 ${p99} ms, max ${max} ms`,
    );
  });
});

describe('the policy disconnect', () => {
  it('closes with 4103 whoever reads again in time, after an unbroken beginning', async () => {
    for (const { client, session } of readersOf('disconnect').slice(1)) {
      expect(session.ended).toBe(true);
      expect(await client.closed).toEqual({ code: 4103, reason: 'slow consumer' });
      const { seen, discontinuities } = checkStream(client.frames, channelOf('disconnect'));
      expect(discontinuities).toBe(0);
      expect(seen.length).toBeGreaterThan(10);
      expect(seen.length).toBeLessThan(rounds);
    }
  });

  it('frees the connection of one that never reads again', async () => {
    const [first] = readersOf('disconnect') as [Stalled];
    const others = sessionsBefore - STALLED_EACH;
    await until(async () => (await server.connections()) === others, 'the connection to be freed');
    first.client.readOn();
    expect([1006, 4103]).toContain((await first.client.closed).code);
    expect(server.stats().sessions).toBe(others);
  });

  it('lets the client go on from where it was', async () => {
    const [, second] = readersOf('disconnect') as [Stalled, Stalled];
    const channel = channelOf('disconnect');
    const { seen } = checkStream(second.client.frames, channel);
    const last = seen.at(-1) as { epoch: string; offset: number; id: string };
    const client = await server.join('stalled-1');
    const read: number[] = [];
    for (let since = last; since.offset < rounds;) {
      const page = await client.ok('history', { channel, since, limit: 20 });
      read.push(...page.messages.map(({ offset }) => offset));
      since = { ...page.messages.at(-1), epoch: page.epoch } as typeof last;
    }
    expect(read).toEqual(Array.from({ length: rounds - last.offset }, (_, i) => last.offset + 1 + i));
    const { epoch, offset, id } = await client.subscribe(channel);
    const tail = await client.ok('history', { channel, since: { ...last, offset: rounds - 1, id: '' } });
    expect([epoch, offset, id]).toEqual([last.epoch, rounds, tail.messages[0]?.id]);
  });
});

describe('the policy drop-oldest', () => {
  it('tells the gap and keeps the newest', async () => {
    for (const reader of readersOf('drop-oldest')) {
      const { stream, gaps } = await readTheRest(reader, 'drop-oldest');
      expect(gaps).toHaveLength(1);
      expect(gaps[0]?.data).toMatchObject({ reason: 'overflow' });
      expect(stream.seen.at(-1)?.offset).toBe(rounds);
      expect(stream.seen.length + Number(gaps[0]?.data['count'])).toBe(rounds);
    }
  });
});

describe('the policy drop-newest', () => {
  it('keeps what was waiting and tells the gap behind it', async () => {
    for (const reader of readersOf('drop-newest')) {
      const { stream, gaps } = await readTheRest(reader, 'drop-newest');
      expect(gaps).toHaveLength(1);
      expect(gaps[0]?.data).toMatchObject({ reason: 'overflow', from: stream.seen.length + 1, to: rounds });
      expect(reader.client.frames.at(-1)?.event).toBe('gap');
    }
  });
});

describe('the policy conflate', () => {
  it('keeps the newest of each key, in order, and tells what it left out', async () => {
    for (const reader of readersOf('conflate')) {
      const { stream, gaps } = await readTheRest(reader, 'conflate');
      const missing = gaps.reduce((sum, { data }) => sum + Number(data['count']), 0);
      expect(stream.seen.length + missing).toBe(rounds);
      expect(gaps.every(({ data }) => data['reason'] === 'conflated')).toBe(true);
      const newest = reader.client.frames.filter(({ event }) => event === 'message').slice(-KEYS);
      expect(newest.map(roundOf)).toEqual(Array.from({ length: KEYS }, (_, i) => rounds - KEYS + 1 + i));
    }
  });
});

describe('afterwards', () => {
  it('the figures of the server tell what was dropped', () => {
    const { dropped, discontinuities } = server.realtime.stats();
    expect(dropped).toBeGreaterThan(STALLED_EACH * 3 * 10);
    expect(discontinuities).toBeGreaterThanOrEqual(STALLED_EACH * 3);
  });
});

describe('a burst within one turn to a peer that does not read', () => {
  const SMALL = 65_536;

  it('keeps to a small bound as well', async () => {
    const other = await startE2e({
      rules: [{ channel: 'burst:{name}', overflow: 'drop-oldest', history: { size: 100, ttl: '1m' } }],
      env: { TRUNKLINE_OUTBOX_BYTES: String(SMALL) },
    });
    const client = await other.join('ana');
    await client.subscribe('burst:one');
    const session = other.core.hub.session((await client.next('welcome')).data.session) as Session;
    client.stopReading();
    let most = 0;
    for (let turn = 0; turn < 60; turn++) {
      const burst = Array.from({ length: 40 }, () => other.realtime.publish('burst:one', 'tick', PAYLOAD));
      await Promise.all(burst);
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, session.waitingBytes);
    }
    await other.close();
    expect(most).toBeGreaterThan(SMALL / 2);
    expect(most).toBeLessThanOrEqual(SMALL);
  });
});
