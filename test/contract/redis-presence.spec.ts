// Presence in a real Redis: storms against a model, nodes that die, hang or stop, a Redis that stands still or forgets.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import type { RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { FAST, PresenceEar, RedisLife } from '../support/redis-life.js';
import { freshPrefix } from '../support/redis-nodes.js';
import { RedisServer } from '../support/redis-server.js';
import { SeededRandom } from '../support/seeded-random.js';
import { until } from '../support/wait.js';
import { entry } from './cluster.js';

const ROOM = 'chat:presence';
const { nodeTtlMs, entryTtlMs } = FAST;

describe('presence in Redis', () => {
  let server: RedisServer;
  let prefix: string;
  let lives: RedisLife[];
  let ear: PresenceEar;

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(async () => server.stop());
  beforeEach(async () => {
    prefix = freshPrefix();
    lives = [];
    ear = await PresenceEar.on(
      server.url,
      new RedisLife('names', { url: server.url, prefix }).keys.bus(ROOM),
    );
  });
  afterEach(async () => {
    server.resume();
    await Promise.all(lives.map((life) => life.stop()));
    ear.close();
    await server.ask('FLUSHALL');
  });

  async function node(name: string, settings: RedisSettings = {}): Promise<RedisLife> {
    const life = new RedisLife(name, { url: server.url, prefix, ...settings });
    lives.push(life);
    return life.start();
  }
  const names = async (life: RedisLife): Promise<string[]> => [...(await life.nodes.list())].sort();
  const users = async (life: RedisLife): Promise<string[]> =>
    (await life.presence.members(ROOM)).map(({ user, connections }) => `${user} ${connections}`);
  const ownNames = async (): Promise<string[]> =>
    (await server.ask('SMEMBERS', new RedisKeys(prefix).nodes())) as string[];
  /** Keys of channels: none is left when nobody is there. */
  const ofChannels = (): Promise<unknown> => server.ask('KEYS', `${prefix}:{*}:[pc]:*`);

  it('agrees with a model after a storm in which nobody waits for the step before', async () => {
    const nodes = [await node('a'), await node('b')];
    const random = new SeededRandom(4);
    const inside = new Map<string, string>();
    const steps: Promise<void>[] = [];
    for (let i = 0; i < 2000; i++) {
      const number = random.below(30);
      const [session, user] = [`s${number}`, `user${number % 7}`];
      const { presence } = nodes[number % 2] as RedisLife;
      const enters = random.fraction() < 0.5;
      steps.push(
        enters ? presence.enter(ROOM, entry(session, user)) : presence.exit(ROOM, entry(session, user)),
      );
      if (enters) inside.set(session, user);
      else inside.delete(session);
    }
    await Promise.all(steps);
    const connections = new Map<string, number>();
    for (const user of inside.values()) connections.set(user, (connections.get(user) ?? 0) + 1);
    expect(new Set(await users(nodes[0] as RedisLife))).toEqual(
      new Set([...connections].map(([user, count]) => `${user} ${count}`)),
    );
    const present = new Set<string>();
    await until(() => {
      present.clear();
      for (const move of ear.moves) {
        if (move[0] === '>') present.add(move.slice(1));
        else present.delete(move.slice(1));
      }
      return present.size === connections.size;
    }, 'the last move');
    expect(present).toEqual(new Set(connections.keys()));
    const turns = new Map<string, string[]>();
    for (const move of ear.moves)
      turns.set(move.slice(1), [...(turns.get(move.slice(1)) ?? []), move[0] as string]);
    for (const signs of turns.values())
      expect(signs).toEqual(signs.map((_, at) => (at % 2 === 0 ? '>' : '<')));
  });

  it('lets an entry of another user under the same session leave first', async () => {
    const { presence } = await node('a');
    await presence.enter(ROOM, { session: 's', user: 'ana', name: 'Ana', since: 5 });
    await presence.enter(ROOM, { session: 's', user: 'b\ud800/"', name: undefined, since: 6 });
    await presence.exit(ROOM, entry('s', 'whoever'));
    await until(() => ear.moves.length === 4, 'four moves');
    expect(ear.members).toEqual([
      { user: 'ana', name: 'Ana', connections: 1, since: 5 },
      { user: 'ana', name: 'Ana', connections: 0, since: 5 },
      { user: 'b\ufffd/"', connections: 1, since: 6 },
      { user: 'b\ufffd/"', connections: 0, since: 6 },
    ]);
    expect(ear.moves.map((move) => move[0])).toEqual(['>', '<', '>', '<']);
    expect(await ofChannels()).toEqual([]);
  });

  it('tells a join although counts outlived the entries they counted', async () => {
    const { presence, keys } = await node('a');
    await server.ask('HSET', keys.counts(ROOM), 'ana', 1);
    await presence.enter(ROOM, entry('s', 'ana'));
    await presence.exit(ROOM, entry('s', 'ana'));
    await until(() => ear.moves.length === 2, 'join and leave');
    expect(ear.moves).toEqual(['>ana', '<ana']);
  });

  it('gives every key a time to live, and prolongs it while the owner lives', async () => {
    const life = await node('a');
    await life.presence.enter(ROOM, entry('s', 'ana'));
    const keys = (await server.ask('KEYS', `${prefix}:*`)) as string[];
    expect(keys).toHaveLength(5);
    for (const key of keys) expect(await server.ask('PTTL', key), key).toBeGreaterThan(0);
    const left = async (): Promise<number> => {
      const shared = [life.keys.presence(ROOM), life.keys.counts(ROOM), life.keys.nodeChannels('a')];
      return Math.min(
        ...(await Promise.all(shared.map(async (key) => (await server.ask('PTTL', key)) as number))),
      );
    };
    await until(async () => (await left()) < entryTtlMs - 200, 'the time to run');
    await until(async () => (await left()) > entryTtlMs - 100, 'it to be prolonged');
    expect(await users(life)).toEqual(['ana 1']);
  });

  it('forgets the channels a node has left', async () => {
    const life = await node('a');
    await life.presence.enter(ROOM, entry('s', 'ana'));
    await life.presence.exit(ROOM, entry('s', 'ana'));
    const key = life.keys.nodeChannels('a');
    await until(async () => (await server.ask('EXISTS', key)) === 0, 'the name to go');
  });

  it('ends the presence of a node that dies without a word, once, in a room of any size', async () => {
    const [dead, survivor, other] = [await node('dead'), await node('b'), await node('c')];
    const many = Array.from({ length: 1500 }, (_, at) => entry(`s${at}`, `user${at}`));
    await Promise.all(many.map((one) => dead.presence.enter(ROOM, one)));
    await dead.presence.enter('chat:other', entry('s1', 'user1'));
    await survivor.presence.enter(ROOM, entry('t', 'user7'));
    dead.die();
    await until(() => ear.moves.filter((move) => move[0] === '<').length >= 1499, 'the leaves');
    await until(async () => (await ownNames()).length === 2, 'its name to go');
    expect(await users(other)).toEqual(['user7 1']);
    expect(await other.presence.members('chat:other')).toEqual([]);
    const leaves = ear.moves.filter((move) => move[0] === '<');
    expect(new Set(leaves).size).toBe(1499);
    expect(leaves).toHaveLength(1499);
    expect(leaves).not.toContain('<user7');
    expect(await names(other)).toEqual(['b', 'c']);
    expect(await server.ask('EXISTS', other.keys.nodeChannels('dead'))).toBe(0);
  });

  it('ends the presence of a node that stops at once, and takes its names away', async () => {
    const [leaver, stayer] = [await node('leaver'), await node('stayer')];
    await leaver.presence.enter(ROOM, entry('s', 'ana'));
    await stayer.presence.enter(ROOM, entry('t', 'ben'));
    const late = leaver.presence.enter(ROOM, entry('u', 'cleo'));
    await leaver.nodes.stop();
    await late;
    expect(await users(stayer)).toEqual(['ben 1']);
    expect(await names(stayer)).toEqual(['stayer']);
    expect((await server.ask('KEYS', `${prefix}:{nodes}:*:leaver*`)) as string[]).toEqual([]);
    await expect(leaver.presence.enter(ROOM, entry('s', 'ana'))).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  it('tells the names of the living nodes', async () => {
    const [a] = [await node('a'), await node('bb')];
    expect([...(await a.nodes.list())].sort()).toEqual(['a', 'bb']);
  });

  it.each([
    ['was flushed', async () => void (await server.ask('FLUSHALL'))],
    ['was started anew without its data', () => server.restart()],
  ])('is there again after Redis %s', async (_what, fault) => {
    const nodes = [await node('a'), await node('b')] as const;
    await nodes[0].presence.enter(ROOM, entry('s', 'ana'));
    await nodes[1].presence.enter(ROOM, entry('t', 'ana'));
    await nodes[1].presence.enter(ROOM, entry('u', 'ben'));
    await fault();
    const whole = async (): Promise<boolean> =>
      (await users(nodes[0]).catch(() => [])).join() === 'ana 2,ben 1';
    await until(whole, 'all to be there again');
    await until(async () => (await names(nodes[0])).length === 2, 'both nodes');
    await nodes[1].presence.exit(ROOM, entry('t', 'ana'));
    expect(await users(nodes[0])).toEqual(['ana 1', 'ben 1']);
  });

  it('enters again what only a part of Redis has lost', async () => {
    const life = await node('a');
    await life.presence.enter(ROOM, entry('s', 'ana'));
    await server.ask('DEL', life.keys.presence(ROOM), life.keys.nodeChannels('a'));
    await until(async () => (await users(life)).join() === 'ana 1', 'the entry');
    expect(await server.ask('SMEMBERS', life.keys.nodeChannels('a'))).toEqual([ROOM]);
    await life.presence.exit(ROOM, entry('s', 'ana'));
    expect(await ofChannels()).toEqual([]);
  });

  it('comes back with a node that hung and was swept, and loses nothing to a sweep that is slow', async () => {
    const [hung, other] = [await node('hung'), await node('other')];
    await hung.presence.enter(ROOM, entry('s', 'ana'));
    hung.clock.hang();
    await until(() => ear.moves.includes('<ana'), 'the leave');
    hung.clock.goOn();
    await until(async () => (await users(other)).join() === 'ana 1', 'the entry');
    await other.presence.sweep(ROOM, 'hung');
    expect(await users(other)).toEqual(['ana 1']);
    expect(ear.moves).toEqual(['>ana', '<ana', '>ana']);
    await until(async () => (await ownNames()).length === 2, 'the old name to go');
    expect(await names(other)).toEqual(['hung', 'other']);
  });

  it('sweeps nobody because Redis stood still for longer than a node may be silent', async () => {
    const nodes = [await node('a'), await node('b')] as const;
    await nodes[0].presence.enter(ROOM, entry('s', 'ana'));
    await nodes[1].presence.enter(ROOM, entry('t', 'ben'));
    server.pause();
    // One of them will be back sooner than the other.
    nodes[1].clock.hang();
    const end = Date.now() + 2 * nodeTtlMs;
    await until(() => Date.now() > end, 'two lives of a sign');
    server.resume();
    await until(async () => (await ownNames()).includes('a.2'), 'the one that is back');
    const beats = nodes[0].beats + 3;
    await until(() => nodes[0].beats > beats, 'it to have had time to judge');
    nodes[1].clock.goOn();
    const renewed = async (): Promise<boolean> =>
      (await ownNames()).sort().join() === 'a.2,b.2' && (await users(nodes[0])).length === 2;
    await until(async () => renewed().catch(() => false), 'new lives and no old ones');
    expect(await users(nodes[1])).toEqual(['ana 1', 'ben 1']);
    expect(ear.moves).toEqual(['>ana', '>ben']);
  });

  it('carries out the leave of a session that left while Redis was away', async () => {
    const life = await node('a');
    await life.presence.enter(ROOM, entry('s', 'ana'));
    await life.presence.enter(ROOM, entry('t', 'ben'));
    server.pause();
    const away = { code: 'unavailable' };
    await Promise.all([
      expect(life.presence.exit(ROOM, entry('s', 'ana'))).rejects.toMatchObject(away),
      expect(life.presence.enter(ROOM, entry('u', 'cleo'))).rejects.toMatchObject(away),
      expect(life.presence.members(ROOM)).rejects.toMatchObject(away),
    ]);
    server.resume();
    await until(async () => (await users(life).catch(() => [])).join() === 'ben 1', 'the leave');
  });

  it('leaves no ghost of a leave that Redis confirmed and a failover took back', async () => {
    const life = await node('a');
    await life.presence.enter(ROOM, entry('s', 'ana'));
    await life.presence.enter(ROOM, entry('t', 'ben'));
    const kept = [life.keys.presence(ROOM), life.keys.counts(ROOM)];
    const before = await Promise.all(kept.map((name) => server.ask('HGETALL', name)));
    await life.presence.exit(ROOM, entry('s', 'ana'));
    for (const [at, name] of kept.entries())
      await server.ask('HSET', name, ...(before[at] as readonly string[]));
    expect(await users(life)).toEqual(['ana 1', 'ben 1']);
    await server.ask('CLIENT', 'KILL', 'TYPE', 'normal');
    await until(async () => (await users(life).catch(() => [])).join() === 'ben 1', 'the ghost to go');
  });

  it('keeps a session that came back while its leave was still owed', async () => {
    const life = await node('a');
    await life.presence.enter(ROOM, entry('s', 'ana'));
    server.pause();
    await expect(life.presence.exit(ROOM, entry('s', 'ana'))).rejects.toMatchObject({ code: 'unavailable' });
    server.resume();
    const enter = (): Promise<boolean> =>
      life.presence.enter(ROOM, entry('s', 'ana')).then(
        () => true,
        () => false,
      );
    await until(enter, 'the return');
    // After a refresh that began later, what was owed has been carried out.
    const key = life.keys.presence(ROOM);
    await until(async () => ((await server.ask('PTTL', key)) as number) < entryTtlMs - 300, 'time to pass');
    await until(async () => ((await server.ask('PTTL', key)) as number) > entryTtlMs - 200, 'a refresh');
    expect(await users(life)).toEqual(['ana 1']);
  });

  it('leaves no ghost even of more leaves than it can owe', { timeout: 40_000 }, async () => {
    const life = await node('a');
    const sessions = Array.from({ length: 300 }, (_, at) => entry(`s${at}`, `user${at}`));
    await Promise.all(sessions.map((one) => life.presence.enter(ROOM, one)));
    await life.presence.enter('chat:other', entry('s', 'ana'));
    life.client.disconnect();
    await until(() => life.client.status === 'end', 'the connection to end');
    const strangers = Array.from({ length: 50_000 }, (_, at) => entry(`x${at}`, 'x'));
    const exits = [...strangers, ...sessions.slice(1)].map((one) => life.presence.exit(ROOM, one));
    const results = await Promise.allSettled(exits);
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    await life.client.connect();
    await until(async () => (await users(life)).join() === 'user0 1', 'the ghosts to go', 20_000);
    expect(await life.presence.members('chat:other')).toHaveLength(1);
  });
});
