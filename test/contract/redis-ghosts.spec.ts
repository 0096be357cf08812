// No entry outlives its node as a ghost: whenever a node enters somebody and is killed, those who live end it, whatever Redis has lost
// and however far a sweep had come. Entries end by themselves only after minutes here.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { RedisRegistry } from '../../src/backplanes/redis/redis.registry.js';
import type { RedisClient } from '../../src/backplanes/redis/redis.scripts.js';
import { FAST, PresenceEar, RedisLife } from '../support/redis-life.js';
import { freshPrefix } from '../support/redis-nodes.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/wait.js';
import { entry } from './cluster.js';

const KNOWN = 'chat:known';
const NEW = 'chat:new';
const ENTRIES_MS = 300_000;
/** A node that gives no sign of life but its first. */
const NO_BEAT = { beatMs: 3_600_000 };

describe('presence of a node that is killed', () => {
  let server: RedisServer;
  let prefix: string;
  let lives: RedisLife[];
  let ears: PresenceEar[];

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(async () => server.stop());
  beforeEach(() => {
    prefix = freshPrefix();
    lives = [];
    ears = [];
  });
  afterEach(async () => {
    await Promise.all(lives.map((life) => life.stop()));
    for (const ear of ears) ear.close();
    await server.ask('FLUSHALL');
  });

  async function node(name: string, settings: RedisSettings = {}): Promise<RedisLife> {
    const all = { url: server.url, prefix, entryTtlMs: ENTRIES_MS, ...settings };
    const life = new RedisLife(name, all);
    lives.push(life);
    return life.start();
  }
  async function earOn(channel: string): Promise<PresenceEar> {
    const ear = await PresenceEar.on(server.url, (lives[0] as RedisLife).keys.bus(channel));
    ears.push(ear);
    return ear;
  }
  const users = async (life: RedisLife, channel: string): Promise<string[]> =>
    (await life.presence.members(channel)).map(({ user }) => user);
  const named = async (life: RedisLife): Promise<string[]> =>
    (await server.ask('SMEMBERS', life.keys.nodes())) as string[];
  async function nothingIsLeftOf(name: string, other: RedisLife, channels: readonly string[]): Promise<void> {
    await until(async () => {
      const found = await Promise.all(channels.map((channel) => users(other, channel)));
      return found.flat().length === 0;
    }, 'the leaves');
    await until(async () => !(await named(other)).includes(name), 'its name to go');
    expect(await server.ask('EXISTS', other.keys.nodeChannels(name))).toBe(0);
  }

  it('is ended when Redis lost everything and the node entered somebody before its next beat', async () => {
    const [victim, other] = [await node('victim'), await node('other')];
    const [known, fresh] = [await earOn(KNOWN), await earOn(NEW)];
    await victim.presence.enter(KNOWN, entry('s', 'ana'));
    victim.clock.hang();
    const end = Date.now() + 2 * FAST.beatMs;
    await until(() => Date.now() > end, 'the time of a beat');
    await server.ask('FLUSHALL');
    await victim.presence.enter(KNOWN, entry('t', 'ben'));
    await victim.presence.enter(NEW, entry('u', 'cleo'));
    victim.die();
    expect(await users(other, KNOWN)).toEqual(['ben']);
    await nothingIsLeftOf('victim', other, [KNOWN, NEW]);
    expect(known.moves).toEqual(['>ana', '>ben', '<ben']);
    expect(fresh.moves).toEqual(['>cleo', '<cleo']);
  });

  it('is ended although Redis lost everything within the beat in which the channel was named', async () => {
    const [victim, other] = [await node('victim', NO_BEAT), await node('other')];
    await victim.presence.enter(KNOWN, entry('s', 'ana'));
    await server.ask('FLUSHALL');
    await victim.presence.enter(KNOWN, entry('t', 'ben'));
    victim.die();
    // Others keep the channel alive.
    await other.presence.enter(KNOWN, entry('u', 'cleo'));
    await until(async () => (await users(other, KNOWN)).join() === 'cleo', 'the leave');
  });

  it('is ended by names that live longer than the entry, when all were cut off for as long as these live', async () => {
    const [victim, other] = [await node('victim', { entryTtlMs: 3000 }), await node('other', NO_BEAT)];
    await victim.presence.enter(KNOWN, entry('s', 'ana'));
    const { keys } = victim;
    const ends = async (key: string): Promise<number> => (await server.ask('PTTL', key)) as number;
    const entries = await ends(keys.presence(KNOWN));
    expect(await ends(keys.nodeChannels('victim'))).toBeGreaterThan(entries + 2000);
    expect(await ends(keys.nodes())).toBeGreaterThan(entries + 2000);
    expect(other.keys.nodes()).toBe(keys.nodes());
  });

  it('is ended when the node hung, was swept, and entered somebody before its next beat', async () => {
    const [victim, other] = [await node('victim', NO_BEAT), await node('other')];
    const [known, fresh] = [await earOn(KNOWN), await earOn(NEW)];
    await victim.presence.enter(KNOWN, entry('s', 'ana'));
    await nothingIsLeftOf('victim', other, [KNOWN]);
    // What it knows of this channel is out of date, and it does not know.
    await expect(victim.presence.enter(KNOWN, entry('t', 'ben'))).rejects.toMatchObject({
      code: 'unavailable',
    });
    await victim.presence.enter(NEW, entry('u', 'cleo'));
    victim.die();
    await nothingIsLeftOf('victim', other, [KNOWN, NEW]);
    expect(known.moves).toEqual(['>ana', '<ana']);
    expect(fresh.moves).toEqual(['>cleo', '<cleo']);
  });

  it('goes on under a new life when the node was swept, and is not killed', async () => {
    const [hung, other] = [await node('hung'), await node('other')];
    await hung.presence.enter(KNOWN, entry('s', 'ana'));
    hung.clock.hang();
    await nothingIsLeftOf('hung', other, [KNOWN]);
    await expect(hung.presence.enter(KNOWN, entry('t', 'ben'))).rejects.toMatchObject({
      code: 'unavailable',
    });
    hung.clock.goOn();
    await until(async () => (await users(other, KNOWN)).join() === 'ana', 'who was there before');
    await hung.presence.enter(KNOWN, entry('t', 'ben'));
    expect((await users(other, KNOWN)).sort()).toEqual(['ana', 'ben']);
    expect(await named(other)).toContain('hung.2');
  });

  it('goes on under a new life even when a life was swept that has its sign', async () => {
    const [wronged, other] = [await node('wronged'), await node('other')];
    await wronged.presence.enter(KNOWN, entry('s', 'ana'));
    await other.presence.sweep(KNOWN, 'wronged');
    await expect(wronged.presence.enter(KNOWN, entry('t', 'ben'))).rejects.toMatchObject({
      code: 'unavailable',
    });
    await until(async () => (await users(other, KNOWN)).join() === 'ana', 'who was there before');
    await wronged.presence.enter(KNOWN, entry('t', 'ben'));
    expect(await named(other)).toContain('wronged.2');
  });

  /** Commands of a burial: exists, claim, forget, channels, sweep, srem, claim again, forget, and the end of the claim. */
  const STEPS = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  it.each([KNOWN, NEW])(
    'is ended however its last enter falls into the burial, into %s',
    { timeout: 60_000 },
    async (channel) => {
      const sweeper = await node('sweeper', { beatMs: 20 });
      // One beat after another is needed before it judges anybody.
      await until(() => sweeper.beats * 20 > FAST.nodeTtlMs, 'the sweeper to be calm');
      for (const registers of STEPS)
        for (const enters of STEPS.filter((step) => step >= registers)) {
          const name = `victim-${registers}-${enters}-`;
          const victim = await node(name, NO_BEAT);
          await victim.presence.enter(KNOWN, entry(`s${name}`, `ana${name}`));
          const late = new LateEnter(victim, channel);
          const burial = onCommand(sweeper.client, name, async (step) => {
            if (step === registers) await late.register();
            if (step === enters) await late.enter();
          });
          await server.ask('DEL', victim.keys.node(name));
          await until(() => burial.steps >= enters, 'the burial to come so far');
          await late.settled();
          victim.die();
          await nothingIsLeftOf(name, sweeper, [KNOWN, NEW]);
          burial.end();
        }
    },
  );

  it('is named once for many that enter one channel within a beat, and again in the next', async () => {
    const life = await node('a', NO_BEAT);
    let now = 5000;
    const settings = { client: life.client, keys: life.keys, now: () => now };
    const options = { beatMs: 100, entryTtlMs: ENTRIES_MS } as never;
    const registry = new RedisRegistry({ ...settings, options });
    const spy = onCommand(life.client, 'named', async () => {});
    const register = (): Promise<unknown> =>
      Promise.all(Array.from({ length: 50 }, () => registry.register('named', KNOWN)));
    await register();
    now += 99;
    await register();
    // The digest may be new to Redis: then the text follows.
    const first = spy.steps;
    expect(first).toBeLessThanOrEqual(2);
    now += 1;
    await register();
    now -= 1000;
    await register();
    expect(spy.steps).toBe(first + 2);
    spy.end();
  });

  it('keeps the name of a channel that is entered while others are taken away', async () => {
    const life = await node('a', NO_BEAT);
    const options = { beatMs: 100, entryTtlMs: ENTRIES_MS } as never;
    const registry = new RedisRegistry({ client: life.client, keys: life.keys, options, now: Date.now });
    const names = Array.from({ length: 600 }, (_, at) => `chat:${at}`);
    await Promise.all(names.map((name) => registry.register('many', name)));
    const used = new Set<string>();
    const spy = onCommand(life.client, 'many', async (step) => {
      // Between the first command of names that go and the second.
      if (step === 1) used.add('chat:599');
    });
    await registry.refresh('many', () => new Set(used));
    spy.end();
    expect(await server.ask('SMEMBERS', life.keys.nodeChannels('many'))).toEqual(['chat:599']);
  });
});

/** An enter in two steps, each when it is told to. */
class LateEnter {
  private entered: Promise<unknown> | undefined;
  private letEnter: () => void = () => {};

  constructor(
    private readonly victim: RedisLife,
    private readonly channel: string,
  ) {}

  /** Resolves when its node has been told of the channel, and the entry would be sent. */
  async register(): Promise<void> {
    const { victim, channel } = this;
    const gate = new Promise<void>((resolve) => (this.letEnter = resolve));
    const grave = victim.keys.grave(channel, victim.node);
    const reached = new Promise<void>((resolve) => {
      onCommand(victim.client, grave, () => {
        resolve();
        return gate;
      });
    });
    this.entered = victim.presence.enter(channel, entry(`t${victim.node}`, 'ben')).catch(() => {});
    await Promise.race([reached, this.entered]);
  }

  async enter(): Promise<void> {
    this.letEnter();
    await this.entered;
  }

  async settled(): Promise<void> {
    await this.entered;
  }
}

/** Before each command of the client that names something, counted from 1. */
function onCommand(
  client: RedisClient,
  what: string,
  before: (step: number) => Promise<void>,
): { readonly steps: number; end(): void } {
  const told = { steps: 0, end: (): void => void (client.sendCommand = send) };
  const send = client.sendCommand.bind(client) as (...all: unknown[]) => unknown;
  const names = (argument: unknown): boolean => String(argument).includes(what);
  client.sendCommand = ((command: Parameters<typeof client.sendCommand>[0], ...more: unknown[]) => {
    if (!command.args.some(names)) return send(command, ...more);
    void before(++told.steps).then(() => send(command, ...more));
    return command.promise;
  }) as typeof client.sendCommand;
  return told;
}
