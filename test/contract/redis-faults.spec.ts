// The Redis backplane when its Redis or the way to it fails: what it
// says, how soon, and that everything works again afterwards.

import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { RedisBackplane } from '../../src/backplanes/redis/redis.backplane.js';
import { redisOptions } from '../../src/backplanes/redis/redis.options.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import { SYSTEM_CLOCK, SystemRandom, type Clock } from '../../src/core/ports/time.js';
import type { Position } from '../../src/protocol/position.js';
import { COMMAND_MS, HurtRedis, LONG_COMMAND_MS, SLACK_MS } from '../support/hurt-redis.js';
import { RecordingListener } from '../support/recording-listener.js';
import { append, logOf, offsetsOf, outcome, refusal, startPeer, suspects } from '../support/redis-nodes.js';
import { until } from '../support/wait.js';

const upTo = (top: number): number[] => Array.from({ length: top }, (_, i) => i + 1);

/** Milliseconds until a connection that only looks alive is given up and made anew. */
const HALF_OPEN_MS = 5 * COMMAND_MS;

const redis = new HurtRedis('faults');

describe('a bus that was cut', () => {
  it('is followed within a second by the names of the channels, last messages included', async () => {
    const [listener, publisher] = [await startPeer(redis.settings), await startPeer(redis.settings)];
    const names = upTo(20).map(() => redis.newChannel());
    await Promise.all(names.map((name) => listener.node.subscribe(name)));
    let missed = 0;
    for (const round of upTo(5)) {
      listener.ear.suspects.length = 0;
      await redis.server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
      const cut = performance.now();
      for (const name of names) await append(publisher, name);
      await listener.ear.until('suspicion', () => suspects(listener.ear, names));
      expect(performance.now() - cut).toBeLessThan(1000 + SLACK_MS);
      for (const name of names) {
        expect(await offsetsOf(listener, name)).toEqual(upTo(round));
        if (!listener.ear.offsets(name).includes(round)) missed++;
      }
    }
    expect(missed, 'messages that only the log could tell').toBeGreaterThan(0);
    for (const name of names) await append(publisher, name);
    await listener.ear.until('live again', () =>
      names.every((one) => listener.ear.offsets(one).at(-1) === 6),
    );
  });

  it('takes no channel back that was left while others were subscribed to again', async () => {
    const listener = await startPeer(redis.settings);
    const names = upTo(6000).map(() => redis.newChannel());
    await Promise.all(names.map((name) => listener.node.subscribe(name)));
    await redis.server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await listener.ear.until('the first of them', () => listener.ear.suspects.length > 0);
    const kept = listener.ear.suspects.flat().at(0) as string;
    await Promise.all(names.filter((name) => name !== kept).map((name) => listener.node.unsubscribe(name)));
    const buses = `${redis.settings.prefix}:*:b:*`;
    const left = async (): Promise<number> =>
      ((await redis.server.ask('PUBSUB', 'CHANNELS', buses)) as string[]).length;
    // One that is subscribed to now stands behind all that was under way.
    const last = redis.newChannel();
    await listener.node.subscribe(last);
    await until(async () => (await left()) <= 2, 'the bus to be left');
    await append(listener, kept);
    await listener.ear.until('what was kept', () => listener.ear.offsets(kept).length > 0);
  });

  it('takes a subscribe of that moment, or refuses it; none that was taken stays deaf', async () => {
    const [listener, publisher] = [await startPeer(redis.settings), await startPeer(redis.settings)];
    for (const _ of upTo(10)) {
      const names = upTo(30).map(() => redis.newChannel());
      const kill = redis.server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
      const asked = await Promise.allSettled(names.map((name) => listener.node.subscribe(name)));
      await kill;
      const taken = names.filter((_name, n) => asked[n]?.status === 'fulfilled');
      for (const one of asked)
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'unavailable' });
      await until(() => listener.node.healthy(), 'the bus to be back');
      for (const name of taken) await append(publisher, name);
      await listener.ear.until('each one, live or as a suspicion', () =>
        taken.every((name) => listener.ear.offsets(name).length > 0 || suspects(listener.ear, [name])),
      );
    }
  });

  it('is noticed although nothing says so: a half-open connection counts as lost', async () => {
    const { proxy, url } = await redis.behindProxy();
    const [listener, publisher] = [
      await startPeer({ ...redis.settings, url }),
      await startPeer(redis.settings),
    ];
    const name = redis.newChannel();
    await append(listener, name);
    await listener.node.subscribe(name);
    proxy.blackHoleOpen();
    const start = performance.now();
    await append(publisher, name);
    await listener.ear.until('suspicion', () => suspects(listener.ear, [name]));
    expect(performance.now() - start).toBeLessThan(HALF_OPEN_MS);
    // Commands have a connection of their own, which is as dead.
    const works = async (): Promise<boolean> => (await outcome(append(listener, name))) === 'ok';
    await until(works, 'publishes again', HALF_OPEN_MS);
    expect(performance.now() - start).toBeLessThan(2 * HALF_OPEN_MS);
    await until(() => listener.node.healthy(), 'all to be well');
    await append(publisher, name);
    await listener.ear.until('live', () => listener.ear.of(name).length > 0);
  });

  it('is noticed so also with a client of the application, which does not watch its sockets', async () => {
    const { proxy } = await redis.behindProxy();
    const watched = { commandTimeout: COMMAND_MS, socketTimeout: COMMAND_MS };
    const shared = { lazyConnect: true, enableOfflineQueue: false, autoResubscribe: false };
    const node = new RedisBackplane({
      options: redisOptions.parse(redis.settings),
      clock: SYSTEM_CLOCK,
      random: new SystemRandom(),
      logger: SILENT_LOGGER,
      connect: (role) => new Redis(proxy.port, { ...shared, ...(role === 'commands' ? watched : {}) }),
    });
    const ear = new RecordingListener();
    await node.start(ear);
    try {
      const name = redis.newChannel();
      await node.subscribe(name);
      proxy.blackHoleOpen();
      const start = performance.now();
      await ear.until('suspicion', () => suspects(ear, [name]));
      // The library gives such a connection two seconds to end by itself.
      expect(performance.now() - start).toBeLessThan(HALF_OPEN_MS + 2000);
      await append(await startPeer(redis.settings), name);
      await ear.until('live', () => ear.of(name).length > 0);
    } finally {
      await node.stop();
    }
  });
});

describe('a Redis that lost all', () => {
  it('begins new epochs, and all channels are suspected', async () => {
    const [listener, publisher] = [await startPeer(redis.settings), await startPeer(redis.settings)];
    const name = redis.newChannel();
    await listener.node.subscribe(name);
    const before = (await append(publisher, name)).position;
    await append(publisher, name);
    await listener.ear.until('both', () => listener.ear.offsets(name).length === 2);
    await redis.server.restart();
    await listener.ear.until('suspicion', () => suspects(listener.ear, [name]));
    await until(() => publisher.node.healthy() && listener.node.healthy(), 'both to be back');
    const [top] = (await listener.node.tops([name])) as [Position];
    expect(top).toEqual({ epoch: top.epoch, offset: 0, id: '' });
    expect(top.epoch).not.toBe(before.epoch);
    const after = (await append(publisher, name)).position;
    expect(after).toMatchObject({ epoch: top.epoch, offset: 1 });
    await listener.ear.until('live again', () => listener.ear.deliveries.at(-1)?.epoch === top.epoch);
  });

  it('has all scripts again, and so has one whose scripts were flushed', async () => {
    const peer = await startPeer(redis.settings);
    const name = redis.newChannel();
    const entry = { session: 's', user: 'ana', name: undefined, since: 1 };
    for (const round of upTo(3)) {
      await redis.server.ask('SCRIPT', 'FLUSH');
      await append(peer, name);
      await redis.server.ask('SCRIPT', 'FLUSH');
      expect(await offsetsOf(peer, name)).toEqual(upTo(round));
      await redis.server.ask('SCRIPT', 'FLUSH');
      expect(await peer.node.tops([name])).toMatchObject([{ offset: round }]);
      await redis.server.ask('SCRIPT', 'FLUSH');
      await peer.node.enter(name, entry);
      await redis.server.ask('SCRIPT', 'FLUSH');
      expect(await peer.node.members(name)).toMatchObject([{ user: 'ana', connections: 1 }]);
      await redis.server.ask('SCRIPT', 'FLUSH');
      await peer.node.exit(name, entry);
    }
  });
});

describe('a start that fails', () => {
  it('leaves nothing behind that goes on', async () => {
    let waiting = 0;
    const clock: Clock = {
      ...SYSTEM_CLOCK,
      after: (ms, run) => {
        waiting++;
        let over = false;
        const end = (): void => void (over || (waiting--, (over = true)));
        const cancel = SYSTEM_CLOCK.after(ms, () => {
          end();
          run();
        });
        return () => {
          end();
          cancel();
        };
      },
    };
    const node = new RedisBackplane({
      options: redisOptions.parse(redis.settings),
      clock,
      random: new SystemRandom(),
      logger: SILENT_LOGGER,
    });
    // The first sign of life is the last step of a start.
    await redis.server.ask('CONFIG', 'SET', 'min-replicas-to-write', 1);
    try {
      expect(await outcome(node.start(new RecordingListener()))).toBe('unavailable');
      await until(() => waiting === 0, 'all timers to end');
    } finally {
      await redis.server.ask('CONFIG', 'SET', 'min-replicas-to-write', 0);
    }
  });
});

describe('a Redis that is away', () => {
  it('is `unavailable` at once for all that is asked, and everything works after its return', async () => {
    const peer = await startPeer({ ...redis.settings, commandTimeoutMs: LONG_COMMAND_MS });
    const name = redis.newChannel();
    await append(peer, name);
    await redis.server.shutdown();
    try {
      await until(() => !peer.node.healthy(), 'the loss to be noticed', 1000);
      const entry = { session: 's', user: 'u', name: undefined, since: 1 };
      const calls = [
        () => append(peer, name),
        () => logOf(peer, name),
        () => peer.node.tops([name]),
        () => peer.node.subscribe(name),
        () => peer.node.enter(name, entry),
        () => peer.node.members(name),
        () => peer.node.control({ type: 'subscribe', user: 'u', channel: name }),
      ];
      for (const call of calls) {
        const { code, ms } = await refusal(call());
        expect(code).toBe('unavailable');
        expect(ms).toBeLessThan(SLACK_MS);
      }
    } finally {
      await redis.server.begin();
    }
    await until(() => peer.node.healthy(), 'it to be well again');
    await peer.node.subscribe(name);
    await append(peer, name);
    await peer.ear.until('live', () => peer.ear.offsets(name).length === 1);
  });
});
