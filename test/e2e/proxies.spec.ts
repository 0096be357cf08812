// Three instances behind the proxies of deploy/: all transports work, heartbeats keep idle connections, and an instance may drain or die.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openSse, disposeStreams } from '../support/sse-client.js';
import { poll } from '../support/poll-client.js';
import { startProxy, type Change, type Proxy, type ProxyName } from '../support/proxies.js';
import {
  Counter,
  HEARTBEAT_MS,
  NAMES,
  Reader,
  startProxiedFleet,
  type InstanceName,
  type ProxiedFleet,
} from '../support/proxied-fleet.js';
import { signToken, TEST_API_KEY } from '../support/server.js';
import { connect, disposeClients, type WsClient } from '../support/ws-client.js';
import { until } from '../support/wait.js';

// Six processes start and three end in one file.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Longest silence the proxies of this test allow, in seconds: more than one heartbeat, less than a few. */
const IDLE_S = 3;
/** Long enough to be cut, were it not for the heartbeats. */
const IDLE_BEATS = (2.5 * IDLE_S * 1000) / HEARTBEAT_MS;
const TRANSPORTS = ['websocket', 'sse', 'polling'] as const;

const SHORT: Readonly<Record<ProxyName, readonly Change[]>> = {
  haproxy: [
    ['timeout client  90s', `timeout client  ${IDLE_S}s`],
    ['timeout server  90s', `timeout server  ${IDLE_S}s`],
    ['timeout tunnel  90s', `timeout tunnel  ${IDLE_S}s`],
  ],
  nginx: [
    ['proxy_read_timeout 90s', `proxy_read_timeout ${IDLE_S}s`],
    ['proxy_send_timeout 90s', `proxy_send_timeout ${IDLE_S}s`],
  ],
};

let fleet: ProxiedFleet;
let count = 0;
const newChannel = (): string => `room:${++count}`;

beforeAll(async () => {
  fleet = await startProxiedFleet();
});
afterAll(() => fleet.stop());

describe.each<ProxyName>(['haproxy', 'nginx'])('behind %s', (name) => {
  let proxy: Proxy;
  const readers: Reader[] = [];

  beforeAll(async () => {
    proxy = await startProxy(name, fleet.ports);
  });
  afterEach(() => {
    for (const { client } of readers.splice(0)) client.close();
    disposeClients();
    disposeStreams();
  });
  afterAll(() => proxy.stop());

  async function socket(user: string): Promise<{ client: WsClient; instance: InstanceName }> {
    const client = await connect(proxy.wsUrl, { token: signToken({ sub: user }) });
    const { data } = await client.next('welcome');
    return { client, instance: data['instance'] as InstanceName };
  }

  /** Sockets until there is one on each instance. */
  async function onEach(): Promise<ReadonlyMap<string, WsClient>> {
    const found = new Map<string, WsClient>();
    for (let tries = 0; found.size < NAMES.length && tries < 30; tries++) {
      const { client, instance } = await socket(`user-${tries}`);
      found.set(instance, client);
    }
    return found;
  }

  const publish = async (channel: string, data: unknown): Promise<number> => {
    const answer = await fetch(`${proxy.url}/api/channels/${encodeURIComponent(channel)}/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_API_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ event: 'tick', data }),
    });
    return answer.status;
  };

  it('what is posted to one instance is heard on every other, over each transport', async () => {
    const channel = newChannel();
    const sockets = await onEach();
    expect([...sockets.keys()].toSorted()).toEqual([...NAMES]);
    for (const client of sockets.values()) await client.subscribe(channel);
    const token = signToken({ sub: 'reader' });
    const stream = await openSse(proxy.url, [channel], { token });
    expect(NAMES).toContain(((await stream.ready()) as unknown as { instance: string }).instance);
    const { cursor } = (await poll(proxy.url, [channel], { token, wait: 0 })).body;
    const waiting = poll(proxy.url, [channel], { token, cursor, wait: 20 });
    expect(await publish(channel, 1)).toBeLessThan(300);
    for (const client of sockets.values()) expect((await client.next('message')).data.data).toBe(1);
    expect((await stream.next('message', undefined, 1000)).data.data).toBe(1);
    expect((await waiting).body.messages.map(({ data }) => data)).toEqual([1]);
    await sockets.get('a')?.publish(channel, 2);
    for (const instance of ['b', 'c'])
      expect((await sockets.get(instance)?.next('message'))?.data.data).toBe(2);
  });

  it('an idle socket and an idle stream outlive the time-outs, by their heartbeats', async () => {
    const channel = newChannel();
    const short = await startProxy(name, fleet.ports, SHORT[name]);
    try {
      const token = signToken({ sub: 'idle' });
      const client = await connect(short.wsUrl, { token });
      await client.subscribe(channel);
      const stream = await openSse(short.url, [channel], { token });
      await stream.ready();
      await until(
        () => client.pings >= IDLE_BEATS && stream.comments.length >= IDLE_BEATS,
        'many heartbeats',
        20_000,
      );
      expect([client.isOpen, stream.isOpen]).toEqual([true, true]);
      await publish(channel, 'still there');
      expect((await client.next('message')).data.data).toBe('still there');
      expect((await stream.next('message')).data.data).toBe('still there');
    } finally {
      await short.stop();
    }
  });

  async function readersOf(channel: string): Promise<readonly Reader[]> {
    for (const transport of TRANSPORTS)
      for (let n = 0; n < 4; n++) readers.push(new Reader(proxy.url, transport, `${transport}-${n}`));
    await Promise.all(readers.map((reader) => reader.open(channel)));
    return readers;
  }

  /** Newcomers of each kind find an instance, none of them the one that goes. */
  async function newcomers(gone: InstanceName): Promise<void> {
    for (let n = 0; n < 6; n++) {
      const { client, instance } = await socket(`late-${n}`);
      expect(instance).not.toBe(gone);
      client.cut();
    }
    const answers = await Promise.all(
      Array.from({ length: 6 }, () =>
        poll(proxy.url, ['room:x'], { token: signToken({ sub: 'l' }), wait: 0 }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
  }

  async function checkWhole(all: readonly Reader[], counter: Counter): Promise<void> {
    const last = await counter.stop();
    // One that was on its way when the instance closed; it was repeated under its key.
    expect(counter.failures.length, counter.failures.join()).toBeLessThan(3);
    const expected = Array.from({ length: last }, (_, at) => at + 1);
    for (const { numbers, gaps, user } of all) {
      await until(() => numbers.length >= last, `${user} to have ${last}, of which it has ${numbers.length}`);
      expect(gaps, user).toEqual([]);
      expect(numbers, user).toEqual(expected);
    }
  }

  it('an instance that drains gets nobody new, and its clients move without loss', async () => {
    const channel = newChannel();
    const all = await readersOf(channel);
    const counter = new Counter(proxy.url, channel);
    const there = (): readonly Reader[] => all.filter(({ client }) => client.instance === 'a');
    expect(there().length, 'clients that have to move').toBeGreaterThan(0);
    await until(() => counter.acknowledged > 50, 'some messages');
    const draining = fleet.of('a');
    draining.signal('SIGTERM');
    await until(() => draining.output.includes('Draining'), 'the drain to begin');
    await newcomers('a');
    expect(await draining.exited).toEqual({ code: 0, signal: null });
    await until(() => there().length === 0, 'all to have moved');
    await newcomers('a');
    const before = counter.acknowledged;
    await until(() => counter.acknowledged > before + 50, 'more messages');
    await checkWhole(all, counter);
    await fleet.begin('a');
    await until(async () => (await socket('back')).instance === 'a', 'a newcomer on it', 30_000);
  });

  it('an instance that is killed is left out, and nothing that was acknowledged is lost', async () => {
    const channel = newChannel();
    const all = await readersOf(channel);
    const counter = new Counter(proxy.url, channel);
    const there = (): readonly Reader[] => all.filter(({ client }) => client.instance === 'b');
    expect(there().length, 'clients that are cut off').toBeGreaterThan(0);
    await until(() => counter.acknowledged > 50, 'some messages');
    await fleet.of('b').kill('SIGKILL');
    await newcomers('b');
    const before = counter.acknowledged;
    await until(() => counter.acknowledged > before + 100, 'more messages');
    await until(() => there().length === 0, 'all to be elsewhere');
    await checkWhole(all, counter);
    await fleet.begin('b');
    await until(async () => (await socket('back')).instance === 'b', 'a newcomer on it', 30_000);
  });
});
