// Random steps for the comparison of the fake Redis with a real one: calls of every script and every command, over few names and with
// awkward values. Knows no reply.

import fc from 'fast-check';
import type { ScriptName } from '../../../../src/backplanes/redis/redis.scripts.js';
import { RedisKeys } from '../../../../src/backplanes/redis/redis.keys.js';

export interface ScriptStep {
  readonly kind: 'script';
  readonly name: ScriptName;
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

export interface CommandStep {
  readonly kind: 'command';
  readonly name: string;
  readonly args: readonly string[];
}

/** The key comes to its end. */
export interface LapseStep {
  readonly kind: 'lapse';
  readonly key: string;
}

export type Step = ScriptStep | CommandStep | LapseStep;

/** Far enough that nothing ends while a sequence runs. */
const LONG = ['600000', '3600000', '86400000'];
const CHANNELS = ['a', 'chat:ünï 🎉'];
const LIVES = ['life1', 'life1.2'];
const SESSIONS = ['s1', 's2', 's3'];
const USERS = ['ann', 'bo/b "\\', 'ünï 🎉', ''];
export const keys = new RedisKeys('cmp');

const channel = fc.constantFrom(...CHANNELS);
const life = fc.constantFrom(...LIVES);
const session = fc.constantFrom(...SESSIONS);
const long = fc.constantFrom(...LONG);
const epoch = fc.constantFrom('epochA', 'epochB', 'epochC');
const word = fc.string({ unit: 'grapheme', maxLength: 8 });
const wide = fc.oneof(word, fc.constant('x'.repeat(70)), fc.constant('\u007f\u0001/é'));

export const script = (
  name: ScriptName,
  names: readonly string[],
  args: readonly (string | number)[],
): Step => ({
  kind: 'script',
  name,
  keys: names,
  args: args.map(String),
});

export const command = (name: string, ...args: readonly (string | number)[]): Step => ({
  kind: 'command',
  name,
  args: args.map(String),
});

export interface Publication {
  readonly channel: string;
  /** Its idempotency key, or none. */
  readonly key: string;
  readonly id: string;
  readonly event: string;
  readonly data: string;
  readonly size: number;
  readonly ttl: string;
}

const publication: fc.Arbitrary<Publication> = fc.record({
  channel,
  key: fc.constantFrom('', 'k1', 'k2'),
  id: fc.integer({ min: 0, max: 1_000_000 }).map((n) => `id${n}`),
  event: word,
  data: wide,
  size: fc.constantFrom(0, 1, 2, 3, 10),
  ttl: fc.constantFrom('600000', '86400000'),
});

const numbersOf = ({ size, ttl, key }: Publication): string =>
  `${size} ${ttl} ${Number(ttl) * 10} ${key === '' ? 0 : 300_000}`;

/** Runs of publications with the same numbers, as the script takes them. */
export function publishStep(parts: readonly Publication[], newEpoch: string, confirmed: string): Step {
  const names: string[] = [];
  const args = ['PUBLISH', newEpoch, confirmed];
  for (let from = 0; from < parts.length;) {
    const numbers = numbersOf(parts[from] as Publication);
    let end = from + 1;
    while (end < parts.length && numbersOf(parts[end] as Publication) === numbers) end++;
    const run = parts.slice(from, end);
    args.push(`${run.length} ${numbers}`);
    for (const one of run) {
      names.push(keys.meta(one.channel), keys.stream(one.channel), keys.bus(one.channel));
      if (one.key !== '') names.push(keys.idempotency(one.channel, one.key));
      args.push(`{"i":"${one.id}","e":${JSON.stringify(one.event)}}`, JSON.stringify(one.data));
    }
    from = end;
  }
  return script('publish', names, args);
}

const publish = fc
  .tuple(fc.array(publication, { minLength: 1, maxLength: 5 }), epoch, fc.constantFrom('0', '1'))
  .map(([parts, newEpoch, confirmed]) => publishStep(parts, newEpoch, confirmed));

const read = fc
  .tuple(
    channel,
    fc.constantFrom(-1, 0, 1, 2, 3, 4, 7, 99, 100, 1e15),
    fc.constantFrom(0, 1, 2, 5, 300),
    fc.constantFrom(0, 1),
    epoch,
    fc.constantFrom(0, 30, 200, 4_194_304),
  )
  .map(([name, after, limit, reverse, newEpoch, most]) =>
    script('read', [keys.meta(name), keys.stream(name)], [after, limit, reverse, newEpoch, 3_600_000, most]),
  );

const top = fc.tuple(fc.array(channel, { minLength: 1, maxLength: 4 }), epoch).map(([names, newEpoch]) =>
  script(
    'top',
    names.flatMap((name) => [keys.meta(name), keys.stream(name)]),
    [newEpoch, 3_600_000],
  ),
);

const since = fc.constantFrom(0, 1.5, 1_767_225_600_000, 123_456_789_012_345_680, 1e21);
const entry = fc.tuple(fc.constantFrom(...USERS), fc.option(wide, { nil: undefined }), since, life);

const enter = fc.tuple(channel, session, entry, long).map(([name, who, [user, n, s, x], ttl]) => {
  const names = [keys.presence(name), keys.counts(name), keys.bus(name), keys.grave(name, x)];
  return script('enter', names, [who, user, JSON.stringify({ u: user, n, s, x }), ttl, 'PUBLISH']);
});

const exit = fc
  .tuple(channel, session)
  .map(([name, who]) =>
    script('exit', [keys.presence(name), keys.counts(name), keys.bus(name)], [who, 'PUBLISH']),
  );

const sweep = fc.tuple(channel, life, long).map(([name, who, ttl]) => {
  const names = [keys.presence(name), keys.counts(name), keys.bus(name), keys.grave(name, who)];
  return script('sweep', names, [who, 0, 'PUBLISH', ttl]);
});

const sessions = fc.uniqueArray(session, { minLength: 1 });
const refresh = fc
  .tuple(channel, life, sessions, long)
  .map(([name, who, all, ttl]) =>
    script('refresh', [keys.presence(name), keys.counts(name)], [ttl, who, ...all]),
  );

const order = fc
  .tuple(wide, fc.constantFrom(2, 1000), long)
  .map(([text, kept, ttl]) =>
    script('order', [keys.orders(), keys.wake()], [JSON.stringify(text), kept, ttl]),
  );

/** The script compares these with each other and with the time it is told. What is added ends after that time, so far that no key
 * ends while a sequence runs. */
const NOW = 1_767_225_600_000;
const UNIT = 600_000;
const revocation = fc.tuple(
  fc.constantFrom('user:ann', 'user:ünï 🎉', 'token:ann\tt1'),
  fc.nat(3),
  fc.integer({ min: 1, max: 4 }),
);
const revoke = fc
  .tuple(fc.constantFrom('tagA', 'tagB'), fc.nat(6), fc.array(revocation, { minLength: 1, maxLength: 4 }))
  .map(([tag, past, all]) => {
    const now = NOW + UNIT * past;
    const rows = all.flatMap(([name, before, until]) => [name, NOW + before, now + UNIT * until]);
    return script('revoke', [keys.revocations(), keys.revocationEnds(), keys.revoked()], [tag, now, ...rows]);
  });

const register = fc
  .tuple(life, long, fc.array(channel, { minLength: 1, maxLength: 3 }))
  .map(([who, ttl, all]) => script('register', [keys.nodeChannels(who), keys.nodes()], [who, ttl, ...all]));

const forget = life.map((who) => script('forget', [keys.nodeChannels(who), keys.nodes()], [who]));

/** One for each script, so that none is left out when one is added. */
const SCRIPT_STEPS: Readonly<Record<ScriptName, fc.Arbitrary<Step>>> = {
  publish,
  read,
  top,
  enter,
  exit,
  sweep,
  refresh,
  order,
  revoke,
  register,
  forget,
};

const mark = fc.constantFrom('nx', 'xx', '').map((text) => (text === '' ? [] : [text]));
const bounds = fc.constantFrom('-', '+', '0-1', '1-0', '2', '3-0', '99999');

/** Of those that the backplane sends itself. */
const commands = fc.oneof(
  fc
    .tuple(life, mark, long)
    .map(([who, words, ttl]) => command('set', keys.node(who), 'n1', 'PX', ttl, ...words)),
  life.map((who) => command('get', keys.node(who))),
  life.map((who) => command('getdel', keys.node(who))),
  life.map((who) => command('exists', keys.node(who), keys.node(who), keys.nodes())),
  life.map((who) => command('del', keys.node(who), keys.nodeChannels(who))),
  fc.tuple(life, sessions).map(([who, all]) => command('sadd', keys.nodeChannels(who), ...all)),
  fc.tuple(life, sessions).map(([who, all]) => command('srem', keys.nodeChannels(who), ...all)),
  life.map((who) => command('smembers', keys.nodeChannels(who))),
  life.map((who) => command('srandmember', keys.nodeChannels(who), 100)),
  fc
    .tuple(life, fc.constantFrom('600000', '0', '-5'))
    .map(([who, ms]) => command('pexpire', keys.nodeChannels(who), ms)),
  fc.constant(command('hget', keys.revocations(), 'tag')),
  fc.constant(command('hscan', keys.revocations(), '0', 'COUNT', 500)),
  channel.map((name) => command('hvals', keys.presence(name))),
  fc
    .tuple(channel, bounds, bounds, fc.constantFrom(1, 2, 200))
    .map(([name, from, to, count]) => command('xrange', keys.stream(name), from, to, 'COUNT', count)),
  fc
    .tuple(channel, bounds, bounds, fc.constantFrom(1, 2, 200))
    .map(([name, from, to, count]) => command('xrevrange', keys.stream(name), from, to, 'COUNT', count)),
  fc.tuple(channel, wide).map(([name, text]) => command('publish', keys.bus(name), text)),
);

const anyKey = fc
  .tuple(channel, life)
  .chain(([name, who]) =>
    fc.constantFrom(
      keys.meta(name),
      keys.stream(name),
      keys.presence(name),
      keys.counts(name),
      keys.grave(name, who),
      keys.idempotency(name, 'k1'),
      keys.nodeChannels(who),
      keys.nodes(),
      keys.orders(),
      keys.revocations(),
      keys.revocationEnds(),
    ),
  );

/** What happens to a Redis beside the backplane: keys end, are evicted, are another's, hold high numbers. */
const accidents = fc.oneof(
  anyKey.map((key): Step => ({ kind: 'lapse', key })),
  anyKey.map((key) => command('del', key)),
  // Not over counts: how far a sweep comes before its error is in the order of a table of Redis.
  fc
    .tuple(anyKey, word)
    .filter(([key]) => !key.includes('}:c:'))
    .map(([key, text]) => command('set', key, text, 'PX', 600_000)),
  fc
    .tuple(
      channel,
      fc.constantFrom('0', '1', '99', '99999999999999', '9007199254740000'),
      fc.constantFrom('z', ''),
    )
    .map(([name, offset, id]) =>
      command('hset', keys.meta(name), 'e', 'epochZ', 'o', offset, 'i', id, 'f', '1', 'm', '600000'),
    ),
  fc
    .tuple(channel, session)
    .map(([name, who]) => command('hset', keys.presence(name), who, '{"u":"ann","s":1,"x":"other"}')),
);

const SCRIPT_WEIGHTS: Readonly<Partial<Record<ScriptName, number>>> = {
  publish: 8,
  read: 5,
  enter: 6,
  exit: 3,
};

const step = fc.oneof(
  ...Object.entries(SCRIPT_STEPS).map(([name, arbitrary]) => ({
    arbitrary,
    weight: SCRIPT_WEIGHTS[name as ScriptName] ?? 2,
  })),
  { arbitrary: commands, weight: 8 },
  { arbitrary: accidents, weight: 6 },
);

export const sequences = fc.array(step, { minLength: 1, maxLength: 40, size: 'max' });

/** All bus channels that the steps speak on. */
export const BUS_CHANNELS: readonly string[] = [
  ...CHANNELS.map((name) => keys.bus(name)),
  keys.wake(),
  keys.revoked(),
];
