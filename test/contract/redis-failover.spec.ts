// The Redis backplane when a part of a highly available Redis goes: the master under Sentinel, connections of a Cluster.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { ChaosProxy } from '../support/chaos-proxy.js';
import {
  startCluster,
  startSentinel,
  type ClusterFleet,
  type SentinelFleet,
} from '../support/redis-fleet.js';
import {
  append,
  freshPrefix,
  logOf,
  offsetsOf,
  outcome,
  refusal,
  startPeer,
  stopPeers,
  suspects,
} from '../support/redis-nodes.js';
import { until } from '../support/wait.js';

/** Milliseconds that a busy machine may add. */
const SLACK_MS = 1500;

/**
 * Milliseconds. An election takes about 2 s; on a busy machine the first may fail, and the next begins 4 s later. Nodes follow within
 * their longest pause between tries.
 */
const ELECTION_MS = 25_000;
const FOLLOW_MS = 8000;
const LONG = { timeout: 45_000 };

const upTo = (top: number): number[] => Array.from({ length: top }, (_, i) => i + 1);

const proxies: ChaosProxy[] = [];
afterEach(async () => {
  await stopPeers();
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});

describe('the master under Sentinel', () => {
  let fleet: SentinelFleet;
  let settings: RedisSettings;
  beforeEach(async () => {
    fleet = await startSentinel();
    settings = { url: fleet.url, prefix: freshPrefix(), commandTimeoutMs: 500, beatMs: 100 };
  });
  afterEach(() => fleet.stop());

  it(
    'is replaced when it dies: the log goes on where it was, and all channels are suspected',
    LONG,
    async () => {
      const [listener, publisher] = [await startPeer(settings), await startPeer(settings)];
      const channel = 'failover:1';
      await listener.node.subscribe(channel);
      for (const _ of upTo(5)) await append(publisher, channel);
      const before = (await append(publisher, channel)).position;
      const master = await fleet.master();
      expect(await master.ask('WAIT', 1, 2000)).toBe(1);
      await master.kill();
      await until(() => !publisher.node.healthy(), 'the loss to be noticed', 2000);
      expect((await refusal(append(publisher, channel))).code).toBe('unavailable');
      await until(async () => (await fleet.master()) !== master, 'a new master', ELECTION_MS);
      await until(() => publisher.node.healthy() && listener.node.healthy(), 'both to follow', FOLLOW_MS);
      await listener.ear.until('suspicion', () => suspects(listener.ear, [channel]));
      const { position } = await append(publisher, channel);
      expect(position).toMatchObject({ epoch: before.epoch, offset: 7 });
      await listener.ear.until('live again', () => listener.ear.offsets(channel).at(-1) === 7);
      expect(await offsetsOf(listener, channel)).toEqual(upTo(7));
    },
  );

  it('is followed when it is moved in order, and nobody publishes into the old one', LONG, async () => {
    const [listener, publisher] = [await startPeer(settings), await startPeer(settings)];
    const channel = 'failover:2';
    await listener.node.subscribe(channel);
    await append(publisher, channel);
    const old = await fleet.master();
    expect(await old.ask('WAIT', 1, 2000)).toBe(1);
    await fleet.sentinels[0]?.ask('SENTINEL', 'FAILOVER', 'main');
    await until(async () => (await fleet.master()) !== old, 'the move', ELECTION_MS);
    let offset = 0;
    await until(
      () =>
        append(publisher, channel).then(
          ({ position }) => (offset = position.offset) > 0,
          () => false,
        ),
      'publishes to the new master',
      FOLLOW_MS,
    );
    expect(offset).toBe(2);
    await until(() => listener.node.healthy(), 'the listener to follow', FOLLOW_MS);
    await listener.ear.until(
      'it, live or by a suspicion',
      () => listener.ear.offsets(channel).includes(2) || suspects(listener.ear, [channel]),
    );
    expect(await offsetsOf(listener, channel)).toEqual([1, 2]);
  });
});

describe('connections of a Cluster', () => {
  let fleet: ClusterFleet;
  let settings: RedisSettings;
  beforeAll(async () => {
    fleet = await startCluster();
  });
  beforeEach(() => {
    settings = { url: fleet.url, prefix: freshPrefix(), commandTimeoutMs: 1000, beatMs: 100 };
  });
  afterAll(() => fleet.stop());

  it.each([
    ['one node', 1],
    ['all nodes', 3],
  ])(
    'of the bus that are cut on %s are followed by suspicion, last messages included',
    async (_name, cut) => {
      const [listener, publisher] = [await startPeer(settings), await startPeer(settings)];
      const names = upTo(40).map((n) => `cut:${n}`);
      await Promise.all(names.map((name) => listener.node.subscribe(name)));
      for (const round of upTo(3)) {
        listener.ear.suspects.length = 0;
        await Promise.all(
          fleet.nodes.slice(0, cut).map((node) => node.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')),
        );
        for (const name of names) await append(publisher, name);
        const told = (name: string): boolean =>
          listener.ear.offsets(name).includes(round) || suspects(listener.ear, [name]);
        await listener.ear.until('all, live or by suspicion', () => names.every(told));
        for (const name of names) expect(await offsetsOf(listener, name)).toEqual(upTo(round));
      }
      await until(() => listener.node.healthy(), 'all to be well');
      for (const name of names) await append(publisher, name);
      await listener.ear.until('live again', () =>
        names.every((one) => listener.ear.offsets(one).at(-1) === 4),
      );
    },
  );

  it('to a node that dies and comes back empty end in time, and its channels begin anew', async () => {
    const [listener, publisher] = [await startPeer(settings), await startPeer(settings)];
    const names = upTo(30).map((n) => `dies:${n}`);
    for (const name of names) await listener.node.subscribe(name);
    const before = new Map<string, string>();
    for (const name of names) before.set(name, (await append(publisher, name)).position.epoch);
    const node = fleet.nodes[1] as (typeof fleet.nodes)[number];
    await node.kill();
    const asked = await Promise.all(
      names.map(async (name) => {
        const start = performance.now();
        const code = await outcome(append(publisher, name));
        return { code, ms: performance.now() - start };
      }),
    );
    await node.begin();
    expect(asked.filter(({ code }) => code === 'ok').length, 'on the other nodes').toBeGreaterThan(10);
    expect(asked.filter(({ code }) => code !== 'ok').length, 'on the dead one').toBeGreaterThan(3);
    for (const { code, ms } of asked) {
      expect(['ok', 'unavailable', 'unknown_outcome']).toContain(code);
      expect(ms).toBeLessThan(1000 + SLACK_MS);
    }
    const works = async (): Promise<boolean> =>
      (await Promise.all(names.map((name) => outcome(append(publisher, name))))).every(
        (code) => code === 'ok',
      );
    await until(works, 'publishes on all nodes', 12_000);
    const tops = await listener.node.tops(names);
    const anew = names.filter((name, n) => tops[n]?.epoch !== before.get(name));
    expect(anew.length).toBe(asked.filter(({ code }) => code !== 'ok').length);
    await listener.ear.until('suspicion', () => suspects(listener.ear, anew));
    const { length } = listener.ear.deliveries;
    await until(() => listener.node.healthy(), 'all to be well');
    for (const name of names) await append(publisher, name);
    const live = (name: string): boolean =>
      listener.ear.deliveries.slice(length).some(({ channel }) => channel === name);
    await listener.ear.until('live again', () => names.every(live));
  });

  it('of commands that lose their replies tell the truth: nothing is done twice, and what is `ok` is there', async () => {
    const ways = await throughProxies();
    const peer = await startPeer({
      ...settings,
      url: ways.map(({ port }) => `redis://127.0.0.1:${port}`).join(),
    });
    const names = upTo(12).map((n) => `cut:commands:${n}`);
    const codes = new Map<string, string>();
    for (const n of upTo(1200)) {
      await until(() => peer.node.healthy(), 'the connections');
      const channel = names[n % names.length] as string;
      codes.set(`${n}`, await outcome(append(peer, channel, { data: `${n}` })));
    }
    await unproxied();
    const direct = await startPeer(settings);
    const times = new Map<string, number>();
    for (const name of names)
      for (const { data } of await logOf(direct, name)) times.set(data, (times.get(data) ?? 0) + 1);
    for (const [data, code] of codes) {
      const found = times.get(data) ?? 0;
      if (code === 'ok') expect(found, `ok ${data}`).toBe(1);
      else if (code === 'unavailable') expect(found, `unavailable ${data}`).toBe(0);
      else expect(found, `unknown ${data}`).toBeLessThanOrEqual(1);
    }
    expect(new Set(codes.values()), 'outcomes').toContain('unknown_outcome');
  });

  /** Between clients and the nodes, which name them as their own addresses. Each cuts a connection in the midst of some reply. */
  async function throughProxies(): Promise<readonly ChaosProxy[]> {
    const faults = { faults: ['cut-response'], cutAfter: [10_000, 15_000] } as const;
    const started = await Promise.all(
      fleet.nodes.map(({ port }, n) => ChaosProxy.start({ target: port, seed: n + 1, ...faults })),
    );
    proxies.push(...started);
    await announce(started.map(({ port }) => port));
    return started;
  }

  const unproxied = (): Promise<void> => announce(fleet.nodes.map(({ port }) => port));

  /** Resolves when all nodes name these ports. */
  async function announce(ports: readonly number[]): Promise<void> {
    for (const [n, node] of fleet.nodes.entries())
      await node.ask('CONFIG', 'SET', 'cluster-announce-port', ports[n] as number);
    await until(async () => {
      const told = await Promise.all(fleet.nodes.map((node) => node.ask('CLUSTER', 'NODES')));
      return told.every((text) => ports.every((port) => String(text).includes(`127.0.0.1:${port}@`)));
    }, 'the new addresses to be known');
  }
});
