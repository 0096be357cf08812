// `npm start` as a newcomer runs it: the bundle serves page, docs, API and sockets, and ends on a signal.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';

let child: ChildProcess;
let url: string;

beforeAll(async () => {
  const env = {
    ...process.env,
    PORT: '0',
    HOST: '127.0.0.1',
    NODE_ENV: 'development',
    TRUNKLINE_LOG_LEVEL: 'warn',
  };
  child = spawn(process.execPath, ['scripts/start.mjs'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(child.stdout as NodeJS.ReadableStream)) {
    const address = /page +http:\/\/localhost:(\d+)\//.exec(line)?.[1];
    if (address === undefined) continue;
    url = `http://127.0.0.1:${address}`;
    break;
  }
}, 90_000);
afterAll(() => child.kill('SIGKILL'));

describe('npm start', () => {
  it.each([
    ['/', 'text/html', '<!doctype html>'],
    ['/docs', 'text/html', 'swagger'],
    ['/docs/json', 'application/json', '"openapi":"3.1'],
    ['/health/ready', 'application/json', '"ready"'],
    ['/metrics', 'text/plain', 'trunkline_sessions'],
  ])('serves %s', async (path, type, text) => {
    const answer = await fetch(url + path);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, expect.stringContaining(type)]);
    expect(await answer.text()).toContain(text);
  });

  it('gives a development token that opens a socket', async () => {
    const answer = await fetch(`${url}/api/dev/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"user":"newcomer"}',
    });
    const { token } = (await answer.json()) as { token: string };
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, ['trunkline.v1', `bearer.${token}`]);
    const [data] = (await once(socket, 'message')) as [Buffer];
    expect(JSON.parse(data.toString('utf8'))).toMatchObject({ event: 'welcome', data: { user: 'newcomer' } });
    expect(socket.protocol).toBe('trunkline.v1');
    socket.close();
    await once(socket, 'close');
  });

  it('ends with code 0 on SIGTERM', async () => {
    child.kill('SIGTERM');
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(0);
  });
});
