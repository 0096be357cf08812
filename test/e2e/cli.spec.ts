// The command `trunkline` as a person uses it: real processes against a real server.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, TEST_SECRET, type TestServer } from '../support/server.js';

const run = promisify(execFile);
const CLI = 'dist/cli/main.js';
const env = { ...process.env, TRUNKLINE_JWT_SECRET: TEST_SECRET };

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const trunkline = (...words: string[]) => run(process.execPath, [CLI, ...words], { env });

describe('trunkline', () => {
  it('prints a token that the server takes', async () => {
    const { stdout } = await trunkline(
      'token',
      '--user',
      'alice',
      '--name',
      'Alice',
      '--ttl',
      '5m',
      '--channels',
      '{"a:*":["publish"]}',
    );
    const answer = await fetch(`${server.url}/api/channels/chat:lobby/members`, {
      headers: { authorization: `Bearer ${stdout.trim()}` },
    });
    expect(answer.status).toBe(200);
  });

  it('publishes, and prints what a subscriber gets', async () => {
    const child = spawn(process.execPath, [CLI, 'subscribe', 'chat:cli', '--url', server.url], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
      const next = async () =>
        JSON.parse((await lines.next()).value as string) as { event: string; data: { data?: unknown } };
      expect((await next()).event).toBe('welcome');
      expect((await next()).event).toBe('ok');
      const { stdout } = await trunkline(
        'publish',
        'chat:cli',
        'message',
        '{"text":"hi"}',
        '--url',
        server.url,
        '--user',
        'bob',
      );
      expect(JSON.parse(stdout)).toMatchObject({ channel: 'chat:cli', offset: 1, duplicate: false });
      expect(await next()).toMatchObject({ event: 'message', data: { data: { text: 'hi' } } });
    } finally {
      child.kill('SIGINT');
    }
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(0);
  });

  it('says whether the configuration is good', async () => {
    const good = await trunkline('check-config');
    expect(good.stdout).toContain('The configuration is good');
    const bad = run(process.execPath, [CLI, 'check-config'], { env: { ...env, PORT: 'many' } });
    await expect(bad).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('PORT') as string });
  });

  it.each(['TRUNKLINE_JWKS_URL=https://id.example.com/jwks', 'TRUNKLINE_JWT_PUBLIC_KEY_FILE=public.pem'])(
    'makes no token where they are checked with %s, and says so',
    async (setting) => {
      const [name = '', value = ''] = setting.split('=');
      const made = run(process.execPath, [CLI, 'token', '--user', 'alice'], {
        env: { ...env, TRUNKLINE_JWT_SECRET: '', [name]: value },
      });
      await expect(made).rejects.toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining('signs with TRUNKLINE_JWT_SECRET only') as string,
      });
    },
  );

  it.each(['check-config', 'start'])('%s names the key file that cannot be read, and ends', async (word) => {
    const ended = run(process.execPath, [CLI, word], {
      env: { ...env, TRUNKLINE_JWT_SECRET: '', TRUNKLINE_JWT_PUBLIC_KEY_FILE: 'no-such.pem', PORT: '0' },
    });
    await expect(ended).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/TRUNKLINE_JWT_PUBLIC_KEY_FILE: the file cannot be read/) as string,
    });
  });

  it.each([
    [['token'], 'needs --user'],
    [['token', '--user', 'a', '--ttl', 'soon'], '--ttl must look like'],
    [['publish', 'chat:x', 'message', '{'], 'must be JSON'],
    [['subscribe'], 'needs a channel'],
    [['token', '--what'], '--what'],
    [['dance'], 'Usage: trunkline'],
  ])('%j is refused with a sentence and code 2', async (words, sentence) => {
    await expect(trunkline(...words)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(sentence) as string,
    });
  });
});
