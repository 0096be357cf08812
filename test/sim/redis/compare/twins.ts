// The fake Redis and a real one side by side: each step is done in both, and what they reply, tell and keep is brought into one form.
// Knows no assertion.

import { Redis } from 'ioredis';
import { FakeClock, START_MS } from '../../../support/fake-clock.js';
import { SeededRandom } from '../../../support/seeded-random.js';
import { until } from '../../../support/wait.js';
import type { FakeRedisClient } from '../client.js';
import { isReplyError } from '../errors.js';
import { FakeRedisServer } from '../server.js';
import { STRAIGHT_NETWORK } from '../straight-network.js';
import { BUS_CHANNELS, type Step } from './steps.js';
import { luaOf } from './texts.js';

/** Between two steps on the bus, so that each message is known to be of its step. */
const MARK = 'mark';
/** Milliseconds by which an end may differ: the real clock runs while the other stands. */
const ENDS_DIFFER_MS = 60_000;
/** Their order is no promise of Redis. */
const UNORDERED = new Set(['smembers', 'srandmember', 'hvals', 'hscan']);

/** What a step came to: its reply and what was told, in one form for both. */
export interface Outcome {
  readonly reply: unknown;
  readonly told: readonly string[];
}

interface Twin {
  /** Done one after another. Messages come before the reply of `barrier`. */
  run(step: Step): Promise<unknown>;
  heard: string[];
  barrier(): Promise<void>;
  ask(command: string, ...args: readonly string[]): Promise<unknown>;
  close(): void;
}

export class Twins {
  private constructor(private readonly both: readonly [real: Twin, fake: Twin]) {}

  static async over(url: string): Promise<Twins> {
    const both = [await realTwin(url), await fakeTwin()] as const;
    return new Twins(both);
  }

  close(): void {
    for (const twin of this.both) twin.close();
  }

  async clear(): Promise<void> {
    await Promise.all(this.both.map((twin) => twin.ask('flushall')));
  }

  /** Of the real one, and of the fake one. */
  outcomes(steps: readonly Step[]): Promise<(readonly Outcome[])[]> {
    return Promise.all(this.both.map((twin) => outcomesOf(twin, steps)));
  }

  /** All keys with what they hold. */
  contents(): Promise<Map<string, unknown>[]> {
    return Promise.all(this.both.map(contentsOf));
  }
}

async function outcomesOf(twin: Twin, steps: readonly Step[]): Promise<readonly Outcome[]> {
  twin.heard = [];
  const replies: unknown[] = [];
  for (const step of steps) {
    replies.push(plainReply(step, await twin.run(step)));
    await twin.ask('publish', MARK, MARK);
  }
  await twin.barrier();
  const groups = groupsOf(twin.heard);
  return steps.map((step, at) => ({ reply: replies[at], told: plainTold(step, groups[at] ?? []) }));
}

/** What was heard in each step. */
function groupsOf(heard: readonly string[]): string[][] {
  const groups: string[][] = [[]];
  for (const text of heard) {
    if (text === `${MARK} ${MARK}`) groups.push([]);
    else groups.at(-1)?.push(text);
  }
  return groups;
}

async function settled(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (!isReplyError(error)) throw error;
    return error;
  }
}

function plainReply(step: Step, reply: unknown): unknown {
  if (reply instanceof Error) return `error ${plainError(reply.message)}`;
  const name = step.kind === 'lapse' ? '' : step.name;
  if (name === 'order') return orderId(String(reply));
  if (name === 'publish' && typeof reply === 'string')
    return reply
      .split('\n')
      .map((line) => (/^[!?]/.test(line) ? line.slice(0, 1) + plainError(line.slice(1)) : line));
  if (name === 'hscan') {
    const [cursor, pairs] = reply as [string, string[]];
    return [cursor, byName(record(pairs))];
  }
  return UNORDERED.has(name) ? [...(reply as string[])].sort() : reply;
}

/** Redis adds where in a script it was; and Lua's own words for its own errors. */
function plainError(text: string): string {
  const [said = ''] = text.split(' script: ');
  return said.startsWith('ERR') && !said.includes('XADD') ? 'ERR' : said;
}

/** By the clock of each. */
function orderId(text: string): string {
  return text.replace(/^\d{13}-\d+$/, 'id');
}

function plainTold(step: Step, told: readonly string[]): readonly string[] {
  const sweeping = step.kind === 'script' && step.name === 'sweep';
  const plain = told.map((text) => {
    const cut = text.search(/ [<>]\{/);
    if (cut < 0) return text.replace(/ \d{13}-\d+$/, ' id');
    const member = JSON.parse(text.slice(cut + 2)) as Record<string, unknown>;
    // Of several entries of a user the last one is told, in the order of a table of Redis; so only the user is compared.
    const fields = sweeping ? member['user'] : byName(member);
    return text.slice(0, cut + 2) + JSON.stringify(fields);
  });
  return sweeping ? plain.sort() : plain;
}

async function contentsOf(twin: Twin): Promise<Map<string, unknown>> {
  const keys = (await twin.ask('keys', '*')) as string[];
  const found = new Map<string, unknown>();
  for (const key of keys.sort()) {
    const ttl = (await twin.ask('pttl', key)) as number;
    const end = ttl < 0 ? ttl : Math.round(ttl / ENDS_DIFFER_MS);
    found.set(key, { end, value: await valueOf(twin, key) });
  }
  return found;
}

/** By trial, since the fake one is asked nothing that the backplane does not ask. */
async function valueOf(twin: Twin, key: string): Promise<unknown> {
  const asked = await Promise.all([
    settled(twin.ask('get', key)),
    settled(twin.ask('hgetall', key)),
    settled(twin.ask('smembers', key)),
    settled(twin.ask('xrange', key, '-', '+')),
    settled(twin.ask('zrange', key, '0', '-1', 'WITHSCORES')),
  ]);
  const [string, hash, set, stream, scores] = asked.map((reply) =>
    reply instanceof Error ? undefined : reply,
  );
  if (hash !== undefined) return byName(Array.isArray(hash) ? record(hash as string[]) : (hash as object));
  if (set !== undefined) return [...(set as string[])].sort();
  if (stream !== undefined)
    return (stream as [string, string[]][]).map(([id, fields]) => [orderId(id), fields]);
  return string ?? scores;
}

function byName(fields: object): [string, unknown][] {
  return Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
}

function record(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: pairs.length / 2 }, (_, at) => [
      pairs[2 * at] as string,
      pairs[2 * at + 1] as string,
    ]),
  );
}

async function realTwin(url: string): Promise<Twin> {
  const client = new Redis(url);
  const bus = new Redis(url);
  const twin: Twin = {
    heard: [],
    run: (step) => runReal(client, step),
    barrier: async () => void (await bus.ping()),
    ask: (name, ...args) => client.call(name, ...args),
    close() {
      client.disconnect();
      bus.disconnect();
    },
  };
  bus.on('message', (channel, payload) => twin.heard.push(`${channel} ${payload}`));
  await bus.subscribe(MARK, ...BUS_CHANNELS);
  return twin;
}

async function runReal(client: Redis, step: Step): Promise<unknown> {
  if (step.kind === 'script')
    return settled(client.eval(luaOf(step.name), step.keys.length, ...step.keys, ...step.args));
  if (step.kind === 'command') return settled(client.call(step.name, ...step.args));
  await client.pexpire(step.key, 1);
  await until(async () => (await client.exists(step.key)) === 0, 'the key to end');
  return undefined;
}

async function fakeTwin(): Promise<Twin> {
  const clock = new FakeClock();
  const server = new FakeRedisServer({ clock, random: new SeededRandom(1) });
  const { connect } = server.connector('n', STRAIGHT_NETWORK);
  const client = connect('commands', {}) as unknown as FakeRedisClient;
  const bus = connect('bus', {}) as unknown as FakeRedisClient;
  await Promise.all([client.connect(), bus.connect()]);
  const twin: Twin = {
    heard: [],
    run: async (step) => {
      if (step.kind === 'script') {
        const text = luaOf(step.name);
        return settled(client.eval(text, step.keys.length, ...step.keys, ...step.args));
      }
      if (step.kind === 'command') return settled(askFake(server, step.name, step.args));
      server.ask('pexpire', step.key, 1);
      await clock.advance(2);
      return undefined;
    },
    barrier: async () => void (await bus.ping()),
    ask: (name, ...args) => askFake(server, name, args),
    close() {
      client.disconnect();
      bus.disconnect();
    },
  };
  bus.on('message', (channel: string, payload: string) => twin.heard.push(`${channel} ${payload}`));
  await bus.subscribe(MARK, ...BUS_CHANNELS);
  if (clock.now() !== START_MS) throw new Error('The clock moved by itself.');
  return twin;
}

/** Its errors come by the promise, as those of the real one. */
async function askFake(server: FakeRedisServer, name: string, args: readonly string[]): Promise<unknown> {
  return server.ask(name, ...args);
}
