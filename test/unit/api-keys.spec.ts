// API keys by themselves: found by their text alone, read from a file or refused in words that quote none, replaced while in use.

import { createHash } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ApiKeys, digestOf, type ApiKeyChange, type ApiKeyEntry } from '../../src/auth/api-keys.js';
import { ApiKeysFile, apiKeysOf, parseApiKeys, readApiKeysFile } from '../../src/auth/api-keys.file.js';
import { stateOf } from '../../src/auth/file-watch.js';
import { BACKEND, hasScope, keyAllows, SCOPES, type Scope } from '../../src/core/identity.js';
import { FakeClock } from '../support/fake-clock.js';

const entry = (name: string, text: string, more: Partial<ApiKeyEntry> = {}): ApiKeyEntry => ({
  name,
  digest: digestOf(text),
  scopes: SCOPES,
  channels: undefined,
  ...more,
});

const ONE = 'first-key-0123456789';
const TWO = 'second-key-0123456789';

describe('keys', () => {
  it('are found by their text alone', () => {
    const keys = new ApiKeys([ONE], [entry('billing', TWO)]);
    expect([keys.find(ONE)?.name, keys.find(TWO)?.name]).toEqual(['env-1', 'billing']);
    const near = [
      ONE.slice(1),
      `${ONE} `,
      ONE.toUpperCase(),
      '',
      digestOf(ONE).toString('hex'),
      'env-1',
      'billing',
    ];
    for (const text of near) expect(keys.find(text), text).toBeUndefined();
  });

  it('of the environment have all rights, and two of one text are one', () => {
    const keys = new ApiKeys([ONE, ONE, TWO]);
    expect([...(keys.find(ONE)?.scopes ?? [])]).toEqual(SCOPES);
    expect(keys.find(TWO)?.name).toBe('env-2');
  });

  it('of a file may not have the text of another', () => {
    const twins = [entry('a', ONE), entry('b', ONE)];
    expect(() => new ApiKeys([], twins)).toThrow(/"b" has the same text as "a"/);
    const keys = new ApiKeys([ONE], [entry('billing', TWO)]);
    expect(() => keys.replace([entry('other', ONE)])).toThrow(/same text/);
    expect(keys.find(TWO)?.name).toBe('billing');
  });

  it('count their uses by name, and forget those of keys that are gone', () => {
    const keys = new ApiKeys([ONE], [entry('billing', TWO)]);
    for (let n = 0; n < 3; n++) keys.find(TWO);
    keys.find('rubbish-0123456789');
    expect([...keys.uses]).toEqual([
      ['env-1', 0],
      ['billing', 3],
    ]);
    keys.replace([]);
    expect([...keys.uses]).toEqual([['env-1', 0]]);
  });

  it('tell which of them have changed', () => {
    const told: ApiKeyChange[] = [];
    const before = [
      entry('same', 'text-of-same-0123'),
      entry('gone', 'text-of-gone-0123'),
      entry('text', 'text-of-text-0123'),
      entry('scopes', 'text-of-scopes-0123', { scopes: ['read', 'publish'] }),
      entry('order', 'text-of-order-0123', { scopes: ['read', 'publish'] }),
      entry('channels', 'text-of-channels-0123'),
    ];
    const keys = new ApiKeys([ONE], before);
    keys.onChange = (changes) => told.push(...changes);
    keys.replace(before);
    expect(told).toEqual([]);
    keys.replace([
      before[0] as ApiKeyEntry,
      entry('text', 'other-text-0123456'),
      entry('scopes', 'text-of-scopes-0123', { scopes: ['read'] }),
      entry('order', 'text-of-order-0123', { scopes: ['publish', 'read'] }),
      entry('channels', 'text-of-channels-0123', { channels: ['a:*'] }),
      entry('new', 'text-of-new-0123'),
    ]);
    expect(told.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
      { name: 'channels', gone: false },
      { name: 'gone', gone: true },
      { name: 'scopes', gone: false },
      { name: 'text', gone: false },
    ]);
    expect(keys.find('text-of-text-0123')).toBeUndefined();
    expect(keys.find('other-text-0123456')?.name).toBe('text');
  });
});

describe('rights', () => {
  const rights = (scopes: readonly Scope[], channels?: readonly string[]) => {
    const keys = new ApiKeys([], [entry('k', ONE, { scopes, channels })]);
    const key = keys.find(ONE);
    if (key === undefined) throw new Error('The key is not known.');
    return { ...BACKEND, key };
  };

  it.each(SCOPES)('of a key with %s alone are that one', (scope) => {
    const identity = rights([scope]);
    expect(SCOPES.filter((one) => hasScope(identity, one))).toEqual([scope]);
    expect(SCOPES.filter((one) => keyAllows(identity, one, 'a:b'))).toEqual([scope]);
  });

  it('of a key with channels end with them', () => {
    const identity = rights(SCOPES, ['orders:*', 'news']);
    const allowed = ['orders:1', 'orders:1:lines', 'news', 'orders', 'ordersx:1', 'chat:orders:1', 'news:1'];
    expect(allowed.filter((channel) => keyAllows(identity, 'publish', channel))).toEqual(allowed.slice(0, 3));
    expect(keyAllows(rights(SCOPES, []), 'publish', 'news')).toBe(false);
  });

  it('of a user bound to a key are its channels, whatever its scopes', () => {
    const user = { ...rights(['tickets'], ['orders:*']), kind: 'user', user: 'ana' } as const;
    expect(keyAllows(user, 'publish', 'orders:1')).toBe(true);
    expect(keyAllows(user, 'publish', 'chat:1')).toBe(false);
    expect(SCOPES.filter((scope) => hasScope(user, scope))).toEqual([]);
  });

  it('of the application itself are all', () => {
    expect(SCOPES.filter((scope) => hasScope(BACKEND, scope))).toEqual(SCOPES);
  });
});

const folder = mkdtempSync(join(tmpdir(), 'trunkline-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'keys.json');
const row = (name: string, text: string, scopes: readonly string[] = SCOPES): object => ({
  name,
  key: text,
  scopes,
});
const write = (list: unknown): void => writeFileSync(path, JSON.stringify(list));

describe('a file of keys', () => {
  it('names each by text or by digest', () => {
    const sha256 = createHash('sha256').update(TWO).digest('hex').toUpperCase();
    const read = parseApiKeys(
      `\uFEFF${JSON.stringify([
        { name: 'a.b_c-1', key: ONE, scopes: ['read', 'publish', 'read'], channels: ['orders:*'] },
        { name: 'other', sha256, scopes: [] },
      ])}`,
    );
    expect(read).toEqual([
      { name: 'a.b_c-1', digest: digestOf(ONE), scopes: ['publish', 'read'], channels: ['orders:*'] },
      { name: 'other', digest: digestOf(TWO), scopes: [], channels: undefined },
    ]);
  });

  const SECRET = 'a-secret-that-must-not-be-told';
  it.each<[string, unknown, RegExp]>([
    ['no list', { name: 'a', key: SECRET }, /must hold a list/],
    ['no object', [SECRET], /key 1 must be an object/],
    ['no name', [{ key: SECRET, scopes: [] }], /key 1 "name" must be a name/],
    ['a bad name', [row('a b', SECRET)], /"name" may have 64/],
    ['a name of ours', [row('env-1', SECRET)], /must not begin with "env-"/],
    ['a name twice', [row('a', SECRET), row('a', ONE)], /key 2 "name" is there twice/],
    ['a text twice', [row('a', SECRET), row('b', SECRET)], /same text/],
    ['a short text', [row('a', 'short')], /at least 16 characters/],
    ['a text that no header carries', [row('a', `${SECRET} x`)], /neither spaces/],
    ['no text', [{ name: 'a', scopes: [] }], /either "key" or "sha256"/],
    [
      'text and digest',
      [{ name: 'a', key: SECRET, sha256: 'a'.repeat(64), scopes: [] }],
      /either "key" or "sha256"/,
    ],
    ['a bad digest', [{ name: 'a', sha256: SECRET, scopes: [] }], /64 hexadecimal digits/],
    ['no scopes', [{ name: 'a', key: SECRET }], /"scopes" must be a list/],
    ['an unknown scope', [row('a', SECRET, ['admin'])], /"scopes.0" must be one of publish, read/],
    [
      'a bad pattern',
      [{ name: 'a', key: SECRET, scopes: [], channels: [`${SECRET} *`] }],
      /"channels.0" must be a channel pattern/,
    ],
    ['a text as a field', [{ name: 'a', key: ONE, scopes: [], [SECRET]: true }], /key 1 has 1 unknown field/],
    [
      'too many',
      Array.from({ length: 1001 }, (_, i) => row(`k${i}`, `${SECRET}-${i}`)),
      /may hold 1000 keys/,
    ],
  ])('with %s is refused, and nothing of a key is told', (_what, value, says) => {
    write(value);
    let told = '';
    try {
      apiKeysOf({ apiKeys: [], apiKeysFile: path });
    } catch (error) {
      told = String(error);
    }
    expect(told).toMatch(/TRUNKLINE_API_KEYS_FILE: /);
    expect(told).toMatch(says);
    expect(told).not.toContain(SECRET);
  });

  it('that is no JSON, too large, a folder, or not there, is refused', () => {
    for (const text of [`[{"name":"a","key":"${SECRET}"`, '', '{']) {
      writeFileSync(path, text);
      expect(() => readApiKeysFile(path)).toThrow(/^TRUNKLINE_API_KEYS_FILE: the file is not JSON\.$/);
    }
    writeFileSync(path, `[${' '.repeat(1_048_576)}]`);
    expect(() => readApiKeysFile(path)).toThrow(/more than 1048576 bytes/);
    expect(() => readApiKeysFile(folder)).toThrow(/cannot be read/);
    expect(() => readApiKeysFile(join(folder, 'nowhere'))).toThrow(/ENOENT/);
  });
});

describe('a file that changes', () => {
  let clock: FakeClock;
  let keys: ApiKeys;
  let file: ApiKeysFile;
  const log: { level: string; message: string; fields: unknown }[] = [];
  const note =
    (level: string) =>
    (message: string, fields: unknown): void =>
      void log.push({ level, message, fields });
  const logger = { debug: note('debug'), warn: note('warn'), error: note('error') };

  beforeEach(() => {
    log.length = 0;
    clock = new FakeClock();
    write([row('one', ONE)]);
    keys = apiKeysOf({ apiKeys: [], apiKeysFile: path });
    file = new ApiKeysFile({ path, readAs: stateOf(path), keys, clock, logger });
    file.start();
    return () => file.stop();
  });

  it('is read within a second', async () => {
    write([row('two', TWO)]);
    await clock.advance(1000);
    expect([keys.find(ONE), keys.find(TWO)?.name]).toEqual([undefined, 'two']);
    expect(log).toEqual([
      { level: 'warn', message: 'The API keys were read again.', fields: { keys: 'two' } },
    ]);
  });

  it('is not read while it stays as it is', async () => {
    await clock.advance(60_000);
    expect(log).toEqual([]);
  });

  it('is read when another is put in its place', async () => {
    const other = join(folder, 'other.json');
    writeFileSync(other, JSON.stringify([row('two', TWO)]));
    renameSync(other, path);
    await clock.advance(1000);
    expect(keys.find(TWO)?.name).toBe('two');
  });

  it.each<[string, () => void]>([
    ['half written', () => writeFileSync(path, '[{"name":"two","key":"')],
    ['empty', () => writeFileSync(path, '')],
    ['away', () => rmSync(path)],
    ['of keys with one text', () => write([row('a', TWO), row('b', TWO)])],
  ])(
    'and is %s keeps the old keys, says so once, and is read when it is good again',
    async (_what, spoil) => {
      spoil();
      await clock.advance(5000);
      expect(keys.find(ONE)?.name).toBe('one');
      expect(log.map(({ level, message }) => [level, message])).toEqual([
        ['error', 'The new API keys are not good; the old ones stay.'],
      ]);
      expect(JSON.stringify(log)).not.toContain(TWO);
      write([row('two', TWO)]);
      await clock.advance(1000);
      expect(keys.find(TWO)?.name).toBe('two');
    },
  );

  it('is read at once on SIGHUP, and not after its end', () => {
    write([row('two', TWO)]);
    process.emit('SIGHUP');
    expect(keys.find(TWO)?.name).toBe('two');
    file.stop();
    const { length } = log;
    process.emit('SIGHUP');
    expect([log.length, clock.pending, process.listenerCount('SIGHUP')]).toEqual([length, 0, 0]);
  });
});
