// The file of public keys on a real server while it changes: who passes by which key, what becomes of sessions, and what the log says.

import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CapturedLog } from '../support/captured-log.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { disposeStreams, openSse, sseRefused } from '../support/sse-client.js';
import { issuerKey, type IssuerKey } from '../support/token-keys.js';
import { until } from '../support/wait.js';
import { connect, disposeClients, refused } from '../support/ws-client.js';

const READ = 'The public keys were read again.';
const BAD = 'The new public keys are not good; the old ones stay.';

const [old, fresh, third] = [
  issuerKey('EdDSA', 'key-old'),
  issuerKey('EdDSA', 'key-fresh'),
  issuerKey('ES256', 'key-third'),
];
const KEYS = [old, fresh, third];
const setOf = (...keys: readonly IssuerKey[]): string => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });

let folder: string;
let file: string;
let log: CapturedLog;
let server: E2eServer;

const start = (): Promise<E2eServer> =>
  startE2e({
    rules: [{ channel: 'room:{name}', history: { size: 10, ttl: '1m' } }],
    env: { TRUNKLINE_JWT_SECRET: '', TRUNKLINE_JWT_PUBLIC_KEY_FILE: file },
    boot: { logger: log.logger },
  });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkline-public-keys-'));
  file = join(folder, 'public.json');
  log = new CapturedLog();
});
afterEach(async () => {
  disposeClients();
  disposeStreams();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const told = (line: string, count = 1): Promise<void> =>
  until(() => log.of(line).length === count, `"${line}"`);

/** Whether a REST call, a stream and a WebSocket take a token of each key; all three must agree. */
async function taken(): Promise<readonly boolean[]> {
  const found: boolean[] = [];
  for (const key of KEYS) {
    const headers = { authorization: `Bearer ${key.token()}` };
    const { status } = await fetch(`${server.url}/api/channels/room:a/messages`, { headers });
    expect([200, 401]).toContain(status);
    if (status === 200) {
      await (await openSse(server.url, ['room:a'], { token: key.token() })).ready();
      await connect(server.wsUrl, { token: key.token() });
    } else {
      expect((await sseRefused(server.url, ['room:a'], { token: key.token() })).status).toBe(401);
      expect((await refused(server.wsUrl, { token: key.token() })).status).toBe(401);
    }
    found.push(status === 200);
  }
  return found;
}

const tokenKeys = async (): Promise<string | undefined> =>
  /^trunkline_token_keys (\d+)$/m.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1];

describe('a file of public keys that changes', () => {
  it('changes keys with an overlap, without a restart and without an end of sessions', async () => {
    writeFileSync(file, setOf(old));
    server = await start();
    expect(await taken()).toEqual([true, false, false]);
    const client = await connect(server.wsUrl, { token: old.token() });
    const stream = await openSse(server.url, ['room:a'], { token: old.token() });
    await stream.ready();

    writeFileSync(file, setOf(old, fresh));
    await told(READ);
    expect(await taken()).toEqual([true, true, false]);
    expect(await tokenKeys()).toBe('2');
    await client.ok('authenticate', { token: fresh.token() });

    writeFileSync(file, setOf(fresh));
    await told(READ, 2);
    expect(await taken()).toEqual([false, true, false]);
    await client.subscribe('room:a');
    await client.publish('room:a', 'after');
    expect((await stream.next('message')).data.data).toBe('after');
    expect(log.of(READ)).toMatchObject([
      { level: 'warn', keys: 2 },
      { level: 'warn', keys: 1 },
    ]);
  });

  it('and loses a key: what is open lives to the end of its token, and is not prolonged by that key', async () => {
    writeFileSync(file, setOf(old, fresh));
    server = await start();
    const exp = Math.floor(Date.now() / 1000) + 4;
    const client = await connect(server.wsUrl, { token: old.token({ exp }) });
    const stranger = await connect(server.wsUrl);
    writeFileSync(file, setOf(fresh));
    await told(READ);

    await client.subscribe('room:a');
    expect(await client.refusal('authenticate', { token: old.token() })).toBe('unauthenticated');
    await client.settled();
    stranger.send({ event: 'authenticate', id: 1, data: { token: old.token() } });
    expect((await stranger.closed).code).toBe(4002);
    expect((await client.closed).code).toBe(4200);
  });

  it('and is broken in any way keeps the keys that were, and says so once each time', async () => {
    writeFileSync(file, setOf(old));
    server = await start();
    const broken: readonly (readonly [string, () => void, RegExp])[] = [
      ['half a file', () => writeFileSync(file, setOf(fresh).slice(0, -5)), /neither PEM nor JSON/],
      ['an empty set', () => writeFileSync(file, '{"keys":[]}'), /empty/],
      ['a private key', () => writeFileSync(file, fresh.privatePem), /holds "PRIVATE KEY"/],
      ['too many bytes', () => writeFileSync(file, ' '.repeat(1_048_577)), /more than 1048576 bytes/],
      ['nothing at its place', () => unlinkSync(file), /ENOENT/],
      ['a folder', () => mkdirSync(file), /no file/],
      ['a link to itself', () => (rmSync(file, { recursive: true }), symlinkSync(file, file)), /ELOOP/],
    ];
    for (const [at, [, wound]] of broken.entries()) {
      wound();
      // The last one is found by looking, which must not break on it.
      if (at < broken.length - 1) process.emit('SIGHUP');
      await told(BAD, at + 1);
      expect(await taken()).toEqual([true, false, false]);
    }
    for (const [at, [what, , says]] of broken.entries()) {
      const line = log.of(BAD)[at];
      expect(line, what).toMatchObject({ level: 'error', keysInUse: 1 });
      expect(line?.['reason'], what).toMatch(/^TRUNKLINE_JWT_PUBLIC_KEY_FILE: /);
      expect(line?.['reason'], what).toMatch(says);
    }

    unlinkSync(file);
    await told(BAD, broken.length + 1);
    writeFileSync(file, `${old.pem}\n${fresh.pem}`);
    await told(READ);
    expect(await taken()).toEqual([true, true, false]);
    expect(log.of(BAD)).toHaveLength(broken.length + 1);
  });

  it('by a link to another folder, as a mounted secret does, is followed', async () => {
    const put = (name: string, content: string): void => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'public.json'), content);
      symlinkSync(name, join(folder, '..data.new'));
      renameSync(join(folder, '..data.new'), join(folder, '..data'));
    };
    put('..first', setOf(old));
    symlinkSync(join('..data', 'public.json'), file);
    server = await start();
    expect(await taken()).toEqual([true, false, false]);
    put('..second', setOf(third));
    await told(READ);
    expect(realpathSync(file)).toContain('..second');
    expect(await taken()).toEqual([false, false, true]);
  });

  it('is read at once on SIGHUP, and by nobody after the server has gone', async () => {
    writeFileSync(file, setOf(old));
    server = await start();
    writeFileSync(file, setOf(fresh));
    process.emit('SIGHUP');
    expect(log.of(READ)).toHaveLength(1);
    expect(await taken()).toEqual([false, true, false]);
    await server.close();
    process.emit('SIGHUP');
    expect(log.of(READ)).toHaveLength(1);
  });
});

describe('what is seen of the keys', () => {
  it('is how many there are: no part of one stands in the log', async () => {
    writeFileSync(file, setOf(old));
    server = await start();
    writeFileSync(file, setOf(fresh, third));
    process.emit('SIGHUP');
    writeFileSync(file, setOf(fresh, third).replace('"kty"', '"kty":1,"d"'));
    process.emit('SIGHUP');
    writeFileSync(file, `${fresh.privatePem} ${setOf(third)}`);
    process.emit('SIGHUP');
    expect([log.of(READ).length, log.of(BAD).length]).toEqual([2, 1]);
    for (const { jwk, kid, privatePem } of KEYS) {
      for (const part of [jwk['x'] as string, kid, ...privatePem.split('\n').slice(1, -2)])
        expect(log.text).not.toContain(part);
    }
  });
});
