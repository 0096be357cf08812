// What the Redis backplane says of a publish whose Redis is slow, silent or full, and that it was true: `ok` is in the log, `unavailable` is
// not, `unknown_outcome` is there at most once.

import { describe, expect, it } from 'vitest';
import type { Position } from '../../src/protocol/position.js';
import { COMMAND_MS, HurtRedis, LONG_COMMAND_MS, SLACK_MS } from '../support/hurt-redis.js';
import { append, logOf, offsetsOf, outcome, refusal, startPeer, type Peer } from '../support/redis-nodes.js';
import { until } from '../support/wait.js';

const upTo = (top: number): number[] => Array.from({ length: top }, (_, i) => i + 1);
const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const redis = new HurtRedis('outcomes');

/** Publishes until told to stop; what became of each, and how long the slowest took. */
class Load {
  readonly outcomes = new Map<string, string>();
  slowest = 0;
  private going = true;
  private readonly calls: Promise<void>[] = [];
  private readonly loop: Promise<void>;

  constructor(
    private readonly peer: Peer,
    private readonly channel: string,
  ) {
    this.loop = this.run();
  }

  count(code: string): number {
    return [...this.outcomes.values()].filter((one) => one === code).length;
  }

  async end(): Promise<void> {
    this.going = false;
    await this.loop;
    await Promise.all(this.calls);
  }

  private async run(): Promise<void> {
    for (let n = 0; this.going; n++) {
      this.calls.push(this.publish(`${n}`));
      await pass(4);
    }
  }

  private async publish(data: string): Promise<void> {
    const start = performance.now();
    const code = await outcome(append(this.peer, this.channel, { data }));
    this.slowest = Math.max(this.slowest, performance.now() - start);
    this.outcomes.set(data, code);
  }
}

describe('a Redis that stands still for two seconds under load', () => {
  it('ends each publish in time, and what was said of each is true afterwards', async () => {
    const peer = await startPeer(redis.settings);
    const name = redis.newChannel();
    const load = new Load(peer, name);
    await until(() => load.count('ok') > 50, 'load');
    redis.server.pause();
    await pass(2000);
    const before = load.count('ok');
    redis.server.resume();
    await until(() => load.count('ok') > before + 50, 'publishes after it');
    await load.end();
    expect(load.slowest).toBeLessThan(COMMAND_MS + SLACK_MS);
    expect(new Set(load.outcomes.values())).not.toContain('internal');
    expect(load.count('unknown_outcome')).toBeGreaterThan(0);

    const log = await logOf(peer, name);
    expect(log.map(({ offset }) => offset)).toEqual(upTo(log.length));
    const times = new Map<string, number>();
    for (const { data } of log) times.set(data, (times.get(data) ?? 0) + 1);
    for (const [data, code] of load.outcomes) {
      const found = times.get(data) ?? 0;
      if (code === 'ok') expect(found, `ok ${data}`).toBe(1);
      if (code === 'unavailable') expect(found, `unavailable ${data}`).toBe(0);
      if (code === 'unknown_outcome') expect(found, `unknown ${data}`).toBeLessThanOrEqual(1);
    }
  });

  it('lets no more commands wait than it was told', async () => {
    const peer = await startPeer({ ...redis.settings, commandTimeoutMs: LONG_COMMAND_MS, maxPending: 50 });
    const name = redis.newChannel();
    await append(peer, name);
    redis.server.pause();
    const calls = await Promise.all(upTo(200).map(() => refusal(append(peer, name))));
    redis.server.resume();
    const refused = calls.filter(({ code }) => code === 'unavailable');
    expect(refused.length).toBeGreaterThanOrEqual(150);
    for (const { ms } of refused) expect(ms).toBeLessThan(SLACK_MS);
    expect(calls.length - refused.length).toBeGreaterThan(0);
    for (const { code } of calls) expect(['unavailable', 'unknown_outcome']).toContain(code);
    let tries = 0;
    const works = async (): Promise<boolean> => (tries++, (await outcome(append(peer, name))) === 'ok');
    await until(works, 'publishes again');
    expect((await logOf(peer, name)).length).toBeLessThanOrEqual(1 + 50 + tries);
  });
});

describe('a node that stops while Redis does not answer', () => {
  it('has stopped within the time of a few commands', async () => {
    const peer = await startPeer(redis.settings);
    await peer.node.enter(redis.newChannel(), { session: 's', user: 'u', name: undefined, since: 1 });
    redis.server.pause();
    const start = performance.now();
    await peer.node.stop();
    expect(performance.now() - start).toBeLessThan(4 * COMMAND_MS + SLACK_MS);
    redis.server.resume();
  });
});

describe('a reply that was cut off', () => {
  it('is unknown_outcome, and the same idempotency key anywhere gives one offset', async () => {
    const faults = { faults: ['cut-response'], cutAfter: [9000, 12_000], limit: 500 } as const;
    const { proxy, url } = await redis.behindProxy(faults);
    const cut = await startPeer({ ...redis.settings, url });
    const [b, c] = [await startPeer(redis.settings), await startPeer(redis.settings)];
    const name = redis.newChannel();
    const positions = new Map<string, Position>();
    let unknown = 0;
    let done = 0;
    let n = 0;
    // Where a reply is cut is chance: most cuts fall between two publishes.
    for (; n < 400 || ((unknown === 0 || done === 0) && n < 4000); n++) {
      const idempotencyKey = `key-${n}`;
      await until(() => cut.node.healthy(), 'the connection');
      const code = await outcome(append(cut, name, { idempotencyKey, data: `${n}` }));
      expect(['ok', 'unavailable', 'unknown_outcome']).toContain(code);
      const again = await Promise.all(
        [b, c, b, c].map((peer) => append(peer, name, { idempotencyKey, data: `${n}` })),
      );
      const fresh = again.filter(({ duplicate }) => !duplicate).length;
      if (code === 'ok') expect(fresh).toBe(0);
      if (code === 'unavailable') expect(fresh, 'nothing was done').toBe(1);
      if (code === 'unknown_outcome') unknown++;
      if (code === 'unknown_outcome' && fresh === 0) done++;
      expect(new Set(again.map(({ position }) => position.offset)).size).toBe(1);
      positions.set(idempotencyKey, (again[0] as (typeof again)[number]).position);
    }
    expect(unknown, 'unknown outcomes').toBeGreaterThan(0);
    expect(done, 'replies that were lost after the deed').toBeGreaterThan(0);
    expect(proxy.accepted).toBeGreaterThan(2);
    expect(await offsetsOf(b, name)).toEqual(upTo(n));
    expect([...positions.values()].map(({ offset }) => offset)).toEqual(upTo(n));
  });
});

describe('a Redis whose memory is full', () => {
  it('takes no publication, says `unavailable`, and remembers nothing of it', async () => {
    const peer = await startPeer(redis.settings);
    const [name, empty] = [redis.newChannel(), redis.newChannel()];
    await append(peer, name);
    await redis.server.ask('CONFIG', 'SET', 'maxmemory', '100kb');
    try {
      for (const channel of [name, empty]) {
        const { code } = await refusal(append(peer, channel, { idempotencyKey: 'k' }));
        expect(code).toBe('unavailable');
      }
      expect(await offsetsOf(peer, name), 'reading goes on').toEqual([1]);
    } finally {
      await redis.server.ask('CONFIG', 'SET', 'maxmemory', '0');
    }
    expect(await append(peer, name, { idempotencyKey: 'k' })).toMatchObject({
      duplicate: false,
      position: { offset: 2 },
    });
    expect(await append(peer, empty, { idempotencyKey: 'k' })).toMatchObject({
      duplicate: false,
      position: { offset: 1 },
    });
  });
});
