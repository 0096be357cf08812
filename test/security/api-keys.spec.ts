// API keys with names and scopes on a real server: each right by itself on every way in, changes while it runs, and what is seen of a key.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SCOPES, type Scope } from '../../src/core/identity.js';
import { CapturedLog } from '../support/captured-log.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { startServer, TEST_API_KEY } from '../support/server.js';
import { disposeStreams, openSse, sseRefused } from '../support/sse-client.js';
import { until } from '../support/wait.js';
import { connect, disposeClients, refused } from '../support/ws-client.js';

const folder = mkdtempSync(join(tmpdir(), 'trunkline-keys-'));
const file = join(folder, 'keys.json');
const textOf = (name: string): string => `text-of-the-key-${name}-0123456789`;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

interface Row {
  readonly name: string;
  readonly key?: string;
  readonly sha256?: string;
  readonly scopes: readonly string[];
  readonly channels?: readonly string[];
}

const ALONE: readonly Row[] = SCOPES.map((scope) => ({ name: scope, key: textOf(scope), scopes: [scope] }));
const ROWS: readonly Row[] = [
  ...ALONE,
  { name: 'nothing', key: textOf('nothing'), scopes: [] },
  { name: 'hashed', sha256: sha256(textOf('hashed')), scopes: [...SCOPES] },
  { name: 'orders', key: textOf('orders'), scopes: [...SCOPES], channels: ['room:orders', 'deep:*'] },
];
const save = (rows: readonly Row[]): void => writeFileSync(file, JSON.stringify(rows));

const log = new CapturedLog();
let server: E2eServer;
beforeAll(async () => {
  save(ROWS);
  server = await startE2e({
    boot: { logger: log.logger },
    env: { TRUNKLINE_API_KEYS_FILE: file },
    rules: [
      { channel: 'room:{name}', presence: true, history: { size: 10, ttl: '1h' } },
      { channel: 'deep:{a}:{b}', presence: true, history: { size: 10, ttl: '1h' } },
    ],
  });
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function call(name: string, method: string, path: string, body?: object): Promise<number> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${textOf(name)}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  expect(text).not.toContain(textOf(name));
  if (response.status === 403) expect(JSON.parse(text)).toMatchObject({ code: 'forbidden', retry: false });
  return response.status;
}

const message = { event: 'note', data: 1 };

/** Acts by REST, with the scope each needs and the status it then has. */
const ACTS: readonly (readonly [
  act: string,
  scope: Scope,
  good: number,
  run: (name: string) => Promise<number>,
])[] = [
  ['publish', 'publish', 201, (name) => call(name, 'POST', '/api/channels/room:a/messages', message)],
  ['history', 'read', 200, (name) => call(name, 'GET', '/api/channels/room:a/messages')],
  ['a poll', 'read', 200, (name) => call(name, 'GET', '/poll?channel=room:a&wait=0')],
  ['members', 'presence', 200, (name) => call(name, 'GET', '/api/channels/room:a/members')],
  ['closing sessions', 'disconnect', 204, (name) => call(name, 'DELETE', '/api/users/nobody/sessions')],
  ['revoking', 'revoke', 201, (name) => call(name, 'POST', '/api/users/nobody/revocations')],
  ['a ticket', 'tickets', 201, (name) => call(name, 'POST', '/api/tickets')],
  ['a ticket for a user', 'tickets', 201, (name) => call(name, 'POST', '/api/tickets', { user: 'ana' })],
  ['figures', 'stats', 200, (name) => call(name, 'GET', '/api/stats')],
  ['the list of channels', 'stats', 200, (name) => call(name, 'GET', '/api/channels')],
  ['the list of sessions', 'stats', 200, (name) => call(name, 'GET', '/api/sessions')],
];

describe.each(ACTS)('%s', (_act, scope, good, run) => {
  it(`is for keys with ${scope}, and for no other`, async () => {
    for (const { name } of ALONE)
      expect([name, await run(name)]).toEqual([name, name === scope ? good : 403]);
    expect(await run('nothing')).toBe(403);
    expect(await run('hashed')).toBe(good);
  });
});

describe('a key', () => {
  it('has its scopes in broadcast and batch, told for each message', async () => {
    for (const [name, ok] of [
      ['publish', true],
      ['read', false],
    ] as const) {
      const headers = { authorization: `Bearer ${textOf(name)}`, 'content-type': 'application/json' };
      for (const [path, body] of [
        ['broadcast', { channels: ['room:a'], ...message }],
        ['batch', { messages: [{ channel: 'room:a', ...message }] }],
      ] as const) {
        const response = await fetch(`${server.url}/api/${path}`, {
          method: 'POST',
          headers,
          body: JSON.stringify(body),
        });
        const { results } = (await response.json()) as {
          results: readonly { ok: boolean; error?: object }[];
        };
        expect(results).toMatchObject([ok ? { ok } : { ok, error: { code: 'forbidden' } }]);
      }
    }
  });

  it('has them on a WebSocket', async () => {
    const outcomes = async (name: string): Promise<readonly string[]> => {
      const client = await connect(server.wsUrl, { token: textOf(name) });
      const acts: readonly (readonly [string, object])[] = [
        ['subscribe', { channel: 'room:a' }],
        ['history', { channel: 'room:a' }],
        ['presence', { channel: 'room:a' }],
        ['publish', { channel: 'room:a', ...message }],
      ];
      const found: string[] = [];
      for (const [event, data] of acts) {
        const { event: kind, data: reply } = await client.request(event, data);
        found.push(kind === 'ok' ? 'ok' : reply.code);
      }
      return found;
    };
    expect(await outcomes('read')).toEqual(['ok', 'ok', 'forbidden', 'forbidden']);
    expect(await outcomes('publish')).toEqual(['forbidden', 'forbidden', 'forbidden', 'ok']);
    expect(await outcomes('presence')).toEqual(['forbidden', 'forbidden', 'ok', 'forbidden']);
    expect(await outcomes('nothing')).toEqual(Array(4).fill('forbidden'));
    expect(await outcomes('hashed')).toEqual(Array(4).fill('ok'));
  });

  it('has them on a stream', async () => {
    const stream = await openSse(server.url, ['room:a'], { token: textOf('read') });
    await stream.ready();
    for (const name of ['publish', 'nothing'])
      expect((await sseRefused(server.url, ['room:a'], { token: textOf(name) })).status).toBe(403);
  });

  it('to read sees neither members nor joins', async () => {
    const reader = await connect(server.wsUrl, { token: textOf('read') });
    expect(await reader.subscribe('room:seen', { presence: true })).not.toHaveProperty('members');
    const stream = await openSse(server.url, ['room:seen'], {
      token: textOf('read'),
      query: [['presence', 'true']],
    });
    expect((await stream.ready()).channels[0]).not.toHaveProperty('members');
    const ana = await server.join('ana');
    await ana.subscribe('room:seen');
    await ana.publish('room:seen', 1);
    await reader.next('message');
    await stream.next('message');
    expect(reader.frames.some(({ event }) => event === 'join')).toBe(false);
    expect(stream.events.some(({ event }) => event === 'join')).toBe(false);
  });

  it('with channels acts in these and in no other', async () => {
    const at = (channel: string): Promise<readonly number[]> =>
      Promise.all([
        call('orders', 'POST', `/api/channels/${channel}/messages`, message),
        call('orders', 'GET', `/api/channels/${channel}/messages`),
        call('orders', 'GET', `/api/channels/${channel}/members`),
        call('orders', 'GET', `/poll?channel=${channel}&wait=0`),
      ]);
    for (const channel of ['room:orders', 'deep:a:b'])
      expect(await at(channel)).toEqual([201, 200, 200, 200]);
    for (const channel of ['room:a', 'room:orders2']) expect(await at(channel)).toEqual([403, 403, 403, 403]);
  });

  it('with channels gives users no more by its tickets', async () => {
    const response = await fetch(`${server.url}/api/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${textOf('orders')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ user: 'ana', channels: { '*': ['subscribe', 'publish'] } }),
    });
    const { ticket } = (await response.json()) as { ticket: string };
    const client = await connect(`${server.wsUrl}?ticket=${ticket}`);
    await client.subscribe('room:orders');
    expect(await client.refusal('subscribe', { channel: 'room:a' })).toBe('forbidden');
    expect(await client.refusal('publish', { channel: 'room:a', ...message })).toBe('forbidden');
  });

  it('of the environment has every right', async () => {
    expect((await server.api('GET', '/stats')).status).toBe(200);
    expect((await server.api('POST', '/channels/room:a/messages', message)).status).toBe(201);
  });

  it('is known by its text, not by its digest or its name', async () => {
    for (const token of [sha256(textOf('hashed')), 'hashed', `${textOf('hashed')}x`])
      expect((await refused(server.wsUrl, { token })).status).toBe(401);
  });
});

describe('a file that changes', () => {
  const status = (name: string): Promise<number> => call(name, 'GET', '/api/stats');

  it('gives and takes rights within a second or two, and ends the sessions of keys that changed', async () => {
    const [gone, less, same] = await Promise.all(
      ['read', 'hashed', 'orders'].map((name) => connect(server.wsUrl, { token: textOf(name) })),
    );
    const stream = await openSse(server.url, ['room:a'], { token: textOf('read') });
    await stream.ready();
    await gone?.subscribe('room:a');
    expect([await status('fresh'), await status('hashed')]).toEqual([401, 200]);

    const rows = ROWS.filter(({ name }) => name !== 'read').map((row) =>
      row.name === 'hashed' ? { ...row, scopes: ['publish'] } : row,
    );
    save([...rows, { name: 'fresh', key: textOf('fresh'), scopes: ['stats'] }]);
    await until(async () => (await status('fresh')) === 200, 'the new key');

    expect(await gone?.closed).toEqual({ code: 4003, reason: 'revoked' });
    expect((await stream.next('close')).data.code).toBe(4003);
    expect((await less?.closed)?.code).toBe(4200);
    await same?.settled();
    expect([await status('read'), await status('hashed')]).toEqual([401, 403]);
    expect((await refused(server.wsUrl, { token: textOf('read') })).status).toBe(401);
  });

  it('and is broken keeps what was, says so, and tells no text', async () => {
    writeFileSync(file, `[{"name":"broken","key":"${textOf('broken')}"`);
    await until(() => log.of('The new API keys are not good; the old ones stay.').length === 1, 'the line');
    expect([await status('fresh'), await status('broken')]).toEqual([200, 401]);
    save([...ROWS, { name: 'fresh', key: textOf('fresh'), scopes: [] }]);
    await until(async () => (await status('fresh')) === 403, 'the next good file');
  });

  it('is read at once on SIGHUP', async () => {
    save([{ name: 'hup', key: textOf('hup'), scopes: ['stats'] }]);
    process.emit('SIGHUP');
    expect([await status('hup'), await status('stats')]).toEqual([200, 401]);
  });

  it('stops the start when it is not good, and says which variable names it', async () => {
    const bad = join(folder, 'bad.json');
    writeFileSync(bad, JSON.stringify([{ name: 'a', key: textOf('a'), scopes: ['everything'] }]));
    for (const path of [bad, join(folder, 'nowhere.json')]) {
      const error: unknown = await startServer({ TRUNKLINE_API_KEYS_FILE: path }).catch(
        (thrown: unknown) => thrown,
      );
      expect(String(error)).toMatch(/TRUNKLINE_API_KEYS_FILE: /);
      expect(String(error)).not.toContain(textOf('a'));
    }
  });
});

describe('what is seen of a key', () => {
  it('is its name: in the log of what it did to users, and of what it was refused', async () => {
    save(ROWS);
    process.emit('SIGHUP');
    await call('revoke', 'POST', '/api/users/zoe/revocations');
    await call('read', 'DELETE', '/api/users/zoe/sessions');
    expect(log.of('An API key was used.').at(-1)).toMatchObject({
      level: 'info',
      key: 'revoke',
      method: 'POST',
      path: '/api/users/zoe/revocations',
    });
    expect(log.of('An API key was refused for its scopes.').at(-1)).toMatchObject({
      level: 'warn',
      key: 'read',
      missing: 'disconnect',
    });
  });

  it('is its name in metrics', async () => {
    await call('presence', 'GET', '/api/channels/room:a/members');
    const figures = await (await fetch(`${server.url}/metrics`)).text();
    expect(figures).toMatch(/^trunkline_api_key_uses_total\{key="presence"\} [1-9]/m);
    expect(figures).toMatch(/^trunkline_api_key_uses_total\{key="env-1"\} [1-9]/m);
  });

  it('is never its text, nor a digest of it', async () => {
    const figures = await (await fetch(`${server.url}/metrics`)).text();
    const names = [...ROWS.map(({ name }) => name), 'fresh', 'broken', 'hup', 'a'];
    for (const text of [...names.map(textOf), TEST_API_KEY]) {
      for (const seen of [log.text, figures]) {
        expect(seen).not.toContain(text);
        expect(seen).not.toContain(sha256(text));
      }
    }
  });
});
