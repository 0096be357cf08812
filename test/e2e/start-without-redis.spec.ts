// The start without its Redis, as a person meets it: the real process says where it looked, why, and what to do; no stack, no password.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { RedisServer } from '../support/redis-server.js';

const LIMIT_MS = 30_000;
const SECRET = 'p%40ss-word-7731';
const PLAIN = 'p@ss-word-7731';

let server: Server | undefined;
let child: ChildProcess | undefined;
afterEach(() => {
  server?.close();
  child?.kill('SIGKILL');
});

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  server = createServer(onSocket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function start(url: string): Promise<{ code: number | null; out: string; err: string }> {
  const started = spawn(process.execPath, ['dist/start.mjs'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      HOST: '127.0.0.1',
      TRUNKLINE_BACKPLANE: 'redis',
      REDIS_URL: url,
    },
  });
  child = started;
  const told = { out: '', err: '' };
  started.stdout.setEncoding('utf8').on('data', (text: string) => (told.out += text));
  started.stderr.setEncoding('utf8').on('data', (text: string) => (told.err += text));
  const [code] = (await once(started, 'close')) as [number | null];
  return { code, ...told };
}

describe('a start without its Redis', { timeout: LIMIT_MS }, () => {
  it('says where it looked and what to do, when nobody is there', async () => {
    const port = await listen(() => {});
    server?.close();
    const { code, out, err } = await start(`redis://ann:${SECRET}@127.0.0.1:${port}`);
    expect(code).toBe(1);
    expect(err).toBe(
      `Redis at redis://127.0.0.1:${port} cannot be used: connect ECONNREFUSED 127.0.0.1:${port}.\n` +
        'Start it, set REDIS_URL to where it is, or run with TRUNKLINE_BACKPLANE=memory.\n',
    );
    expect(out).not.toMatch(/ann|ss-word|Trunkline is up/);
  });

  it('speaks of the login when Redis refuses it', async () => {
    const redis = await RedisServer.start();
    try {
      await redis.ask('CONFIG', 'SET', 'requirepass', 'another-4455');
      const { code, out, err } = await start(`redis://:${SECRET}@127.0.0.1:${redis.port}`);
      expect(code).toBe(1);
      expect(err).toMatch(
        /^Redis at redis:\/\/127\.0\.0\.1:\d+ cannot be used: WRONGPASS .+\nPut the login into REDIS_URL, .+\n$/,
      );
      expect(out + err).not.toMatch(/ss-word|another-4455/);
    } finally {
      await redis.stop();
    }
  });

  it('shows no password that the other side repeats', async () => {
    const port = await listen((socket) => {
      socket.on('error', () => {});
      socket.on('data', () =>
        socket.write(`-ERR unknown command 'HELLO', with args beginning with: '${PLAIN}'\r\n`),
      );
    });
    const { code, err } = await start(`redis://ann:${SECRET}@127.0.0.1:${port}`);
    expect(code).toBe(1);
    expect(err).toMatch(/^Redis at redis:\/\/127\.0\.0\.1:\d+ cannot be used: .+\n/);
    expect(err).not.toMatch(/ss-word|^ +at /m);
  });
});
