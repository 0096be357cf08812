// docs/reference/redis.md and the ACL of docs/guides/scale.md against the Redis backplane: names, types, scripts, and what a real Redis holds.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PARTITIONS, RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import { redisOptions } from '../../src/backplanes/redis/redis.options.js';
import { coreOptions } from '../../src/core/core.options.js';
import { startCluster, startStandalone, timesToLive, type RedisFleet } from '../support/redis-fleet.js';
import { startPeer, stopPeers } from '../support/redis-nodes.js';
import { askRedis, type Command } from '../support/redis-server.js';
import { until } from '../support/wait.js';

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
const doc = read('docs/reference/redis.md');
const guide = read('docs/guides/scale.md');
const failures = read('docs/guides/failures.md').replaceAll(/\s*\n\s*/g, ' ');

function rowsOf(title: string): string[][] {
  const part = doc.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  const table = part.split(/^###/m)[0] ?? '';
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) =>
    row
      .split(' |')
      .slice(0, -1)
      .map((cell) => cell.replace(/^\|? ?/, '').trim()),
  );
}

const bare = (cell = ''): string => cell.replaceAll('`', '');
const keyRows = rowsOf('Keys').map(([name, key, type = '']) => ({ name: bare(name), key: bare(key), type }));
const scriptRows = rowsOf('Scripts').map(([name, keys = '', , returns = '']) => ({
  name: bare(name),
  keys: [...keys.matchAll(/`(\w+)`/g)].map(([, key]) => key ?? ''),
  returns,
}));

/** What gives no name of a key. */
const HELPERS = ['constructor', 'channelOf', 'partitionOf', 'of'];
const LUA = new URL('../../src/backplanes/redis/lua/', import.meta.url);

/** What a script says at its head that it returns, on one line. */
function returnsOf(script: string): string {
  const head = /^(--.*\n)+/.exec(read(`src/backplanes/redis/lua/${script}.lua`))?.[0] ?? '';
  const text = head.replaceAll(/^-- ?/gm, '').split(/^Returns /m)[1] ?? '';
  return text.trim().replaceAll(/\s+/g, ' ');
}

/** A name of a key with everything that is not fixed put in, as a pattern; the tag may be any. */
function patternOf(template: string): RegExp {
  const parts = {
    prefix: 'trunkline',
    tag: '[0-9a-z]+',
    channel: 'chat:[a-z]+',
    key: 'k',
    node: '[\\w.-]+',
    name: '[\\w.:-]+',
  };
  const text = template.replaceAll(/[{}.]/g, '\\$&');
  return new RegExp(`^${text.replaceAll(/<(\w+)>/g, (_all, name: keyof typeof parts) => parts[name])}$`);
}

describe('docs/reference/redis.md', () => {
  it('has a row for every name that RedisKeys makes, and no other', () => {
    const names = Object.getOwnPropertyNames(RedisKeys.prototype).filter((name) => !HELPERS.includes(name));
    expect(keyRows.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  });

  it.each(keyRows)('spells $name as it is', ({ name, key }) => {
    const keys = new RedisKeys('trunkline') as unknown as Record<string, (...args: string[]) => string>;
    const first = key.includes('<channel>') ? 'chat:lobby' : 'nOde-1';
    expect(keys[name]?.(first, 'k')).toMatch(patternOf(key));
  });

  it('has a row for every script, with its keys and in its words', () => {
    const files = readdirSync(LUA).map((file) => file.replace(/\.lua$/, ''));
    expect(scriptRows.map(({ name }) => name).toSorted()).toEqual(files.toSorted());
    for (const { name, keys, returns } of scriptRows) {
      const count = name.split('-')[1];
      if (count !== 'n') expect(keys, name).toHaveLength(Number(count));
      for (const key of keys) expect(keyRows.map((row) => row.name)).toContain(key);
      expect(returnsOf(name), name).not.toBe('');
      expect(returns, name).toBe(returnsOf(name));
    }
  });

  it('says who writes a key as the scripts do', () => {
    const writers = new Map(rowsOf('Keys').map((cells) => [bare(cells[0]), cells.at(-1) ?? '']));
    for (const { name, keys } of scriptRows) {
      // `read` and `top` write the meta only: of the stream they take away what is left of another life.
      const script = name.split('-')[0] ?? '';
      const written = keys.filter((key) => key !== 'stream' || script === 'publish');
      for (const key of written) expect(writers.get(key), `${key} by ${script}`).toContain(`\`${script}\``);
    }
  });

  it('has the figures of the options', () => {
    const { idempotencyWindowMs, emptyTtlMs, entryTtlMs, nodeTtlMs, beatMs } = redisOptions.parse({});
    const ends = new Map(rowsOf('Keys').map((cells) => [bare(cells[0]), cells.slice(4).join(' ')]));
    expect(ends.get('idempotency')).toContain(`${idempotencyWindowMs / 60_000} min after`);
    expect(ends.get('meta')).toContain(`${emptyTtlMs / 3_600_000} h for a channel without`);
    expect(ends.get('presence')).toContain(`${entryTtlMs / 60_000} min after`);
    expect(ends.get('presence')).toContain(`every ${entryTtlMs / 3000} s`);
    expect(ends.get('orders')).toContain(`${entryTtlMs / 60_000} min after`);
    expect(ends.get('node')).toContain(`${nodeTtlMs / 1000} s after`);
    expect(ends.get('revocations')).toContain(`${coreOptions.parse({}).revocationMs / 86_400_000} days`);
    expect(ends.get('node')).toContain(`every ${beatMs / 1000} s`);
    expect(doc).toContain(`one of ${PARTITIONS} fixed tags`);
  });
});

describe('docs/guides/failures.md', () => {
  /** `file` *title*, *title* … */
  const shown = [...failures.matchAll(/`(test\/[\w./-]+)`((?:,? \*[^*]+\*)+)/g)].flatMap(
    ([, file = '', titles = '']) =>
      [...titles.matchAll(/\*([^*]+)\*/g)].map(([, title = '']) => ({ file, title })),
  );

  it('names many tests', () => {
    expect(shown.length).toBeGreaterThan(20);
  });

  it.each(shown)('names a test that is there: $title', ({ file, title }) => {
    expect(read(file)).toContain(title);
  });

  it('names scenarios that are there', () => {
    const scenarios = readdirSync(new URL('../chaos/scenarios/', import.meta.url));
    const named = [...failures.matchAll(/npm run chaos -- ([a-z-]+)`/g)].map(([, scenario]) => scenario);
    expect(named.length).toBeGreaterThan(3);
    for (const scenario of named) expect(scenarios).toContain(`${scenario}.ts`);
  });

  it('quotes lines of the log as they are', () => {
    const root = fileURLToPath(new URL('../../src/', import.meta.url));
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
    const source = files
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(root + file, 'utf8'))
      .join('\n');
    const quoted = [...failures.matchAll(/`([A-Z][a-z]+ [^`]+\.)`/g)].map(([, line = '']) => line);
    expect(quoted.length).toBeGreaterThan(2);
    for (const line of quoted) expect(source).toContain(`'${line}'`);
  });
});

const [user = ''] = /^user .+$/m.exec(/^```acl\n(.*?)^```$/ms.exec(guide)?.[1] ?? '') ?? [];
const [, name = '', ...rules] = user.split(' ');
const more = (what: string): string[] => {
  const [, cell = ''] = new RegExp(`^\\| ${what} \\| \`([^\`]+)\``, 'm').exec(guide) ?? [];
  return cell.replaceAll('\\|', '|').split(' ');
};
const password = rules.find((rule) => rule.startsWith('>'))?.slice(1) ?? '';

/** Everything a server ever asks of Redis; a dead instance is left behind for it. */
async function liveALife(fleet: RedisFleet): Promise<void> {
  const keys = new RedisKeys('trunkline');
  const ghost = keys.nodeChannels('ghost');
  await fleet.ask(ghost, 'SADD', ghost, 'chat:ghosts');
  await fleet.ask(ghost, 'PEXPIRE', ghost, 60_000);
  await fleet.ask(keys.nodes(), 'SADD', keys.nodes(), 'ghost');
  const url = fleet.url.replaceAll('redis://', `redis://${name}:${password}@`);
  const settings = { url, prefix: 'trunkline', beatMs: 50, nodeTtlMs: 400, entryTtlMs: 3000 };
  const [one, two] = [await startPeer(settings), await startPeer(settings)];
  const draft = { event: 'message', data: '1', from: undefined, key: undefined };
  const history = { size: 10, ttlMs: 60_000 };
  const entry = { session: 's', user: 'ana', name: 'Ana', since: 1 };
  await two.node.subscribe('chat:lobby');
  for (const idempotencyKey of [undefined, 'k'])
    await one.node.append('chat:lobby', draft, { history, idempotencyKey, except: undefined });
  await two.node.read('chat:lobby', { after: 1, limit: 9, reverse: false });
  await two.node.read('chat:lobby', { after: 0, limit: 9, reverse: true });
  await two.node.tops(['chat:lobby', 'chat:new']);
  await one.node.enter('chat:lobby', entry);
  await one.node.enter('chat:lobby', { ...entry, user: 'ben' });
  await two.node.members('chat:lobby');
  await two.node.enter('chat:lobby', { ...entry, session: 't' });
  await two.node.exit('chat:lobby', { ...entry, session: 't' });
  await one.node.control({ type: 'disconnect', user: 'ben', code: 4003, reason: 'x' });
  for (const kept of ['ticket:one', 'ticket:two']) await one.node.keep(kept, 'text', 60_000);
  await two.node.take('ticket:one');
  // One that ended longer ago than any clock is ahead, and one that finds it.
  await one.node.revoke({ user: 'ben', tokenId: 'x', before: 0, until: Date.now() - 2 * 3_600_000 + 500 });
  await until(async () => {
    await one.node.revoke({ user: 'ana', tokenId: undefined, before: 1, until: Date.now() + 60_000 });
    const list = keys.revocations();
    return (await fleet.ask(list, 'HLEN', list)) === 2;
  }, 'the ended one to go');
  await two.ear.until('the order', () => two.ear.control.length === 1);
  await two.ear.until('both publications', () => two.ear.offsets('chat:lobby').length === 2);
  await one.node.tally('user:1:ana', 5, 60_000);
  await two.node.unsubscribe('chat:lobby');
  await until(async () => {
    const lives = (await fleet.ask(keys.nodes(), 'SMEMBERS', keys.nodes())) as string[];
    return !lives.includes('ghost');
  }, 'the ghost to be swept');
  await until(async () => {
    const stats = (await everywhere(fleet, ['INFO', 'commandstats'])).join('\n');
    // With each beat the bus asks whether it is heard; in a Cluster it does not.
    return fleet.url.includes(',') || stats.includes('cmdstat_ping:');
  }, 'a beat');
}

async function everywhere(fleet: RedisFleet, command: Command): Promise<readonly unknown[]> {
  const masters = await fleet.masters();
  return (await Promise.all(masters.map(({ url }) => askRedis(url, command)))).flat();
}

describe.each([
  { kind: 'one server', start: startStandalone, extra: ['the check of the pub/sub buffer at the start'] },
  {
    kind: 'a Cluster',
    start: startCluster,
    extra: ['the check of the pub/sub buffer at the start', 'a Cluster'],
  },
])('over $kind, by the user of docs/guides/scale.md', ({ start, extra }) => {
  let fleet: RedisFleet;
  const allowed = [...rules, ...extra.flatMap(more)];
  beforeAll(async () => {
    fleet = await start();
    await everywhere(fleet, ['ACL', 'SETUSER', name, ...allowed]);
    await everywhere(fleet, ['CONFIG', 'RESETSTAT']);
    await liveALife(fleet);
  });
  afterAll(async () => {
    await stopPeers();
    await fleet.stop();
  });

  it('nothing is refused', async () => {
    const log = (await everywhere(fleet, ['ACL', 'LOG'])).flat();
    expect(log.map((entry) => (entry as unknown[]).slice(0, 8))).toEqual([]);
  });

  it('every key has a row with its type, and an end', async () => {
    const found = await timesToLive(fleet, 'trunkline');
    expect(found.size).toBeGreaterThan(8);
    for (const [key, left] of found) {
      const row = keyRows.find((one) => patternOf(one.key).test(key));
      const type = await fleet.ask(key, 'TYPE', key);
      // It went between the two questions.
      if (type === 'none') continue;
      expect(row?.type, key).toBe(type);
      expect(left, key).toBeGreaterThan(0);
    }
  });
});

describe('the user of docs/guides/scale.md', () => {
  it('may do nothing that is not needed', async () => {
    const fleet = await startStandalone();
    try {
      await everywhere(fleet, ['ACL', 'SETUSER', name, ...rules]);
      await liveALife(fleet);
      await stopPeers();
      const stats = (await everywhere(fleet, ['INFO', 'commandstats'])).join('\n');
      const used = new Set([...stats.matchAll(/^cmdstat_(\w+)/gm)].map(([, command]) => command ?? ''));
      const granted = rules.filter((rule) => rule.startsWith('+')).map((rule) => rule.slice(1));
      expect(granted.filter((command) => !used.has(command))).toEqual([]);
    } finally {
      await stopPeers();
      await fleet.stop();
    }
  });
});
