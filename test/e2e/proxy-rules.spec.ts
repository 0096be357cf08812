// What the proxies of deploy/ do with requests, seen by targets made for it: what is sent again and what never is, addresses, limits, closed paths.

import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { startProxy, type Change, type Proxy, type ProxyName } from '../support/proxies.js';
import { until } from '../support/wait.js';

interface Target {
  readonly server: Server;
  readonly port: number;
  /** Requests so far, without health checks. */
  readonly requests: IncomingMessage[];
  ready: boolean;
}

const targets: Target[] = [];
const proxies: Proxy[] = [];
const servers: E2eServer[] = [];
afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  for (const { server } of targets.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function target(listener: RequestListener): Promise<Target> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/health/ready') return void response.writeHead(made.ready ? 200 : 503).end();
    requests.push(request);
    request.resume().once('end', () => listener(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const made: Target = { server, port: (server.address() as AddressInfo).port, requests, ready: true };
  targets.push(made);
  return made;
}

async function proxyOf(
  name: ProxyName,
  behind: readonly Target[],
  changes?: readonly Change[],
): Promise<Proxy> {
  const ports = [0, 1, 2].map((at) => behind[at % behind.length]?.port ?? 0);
  const proxy = await startProxy(name, ports, changes);
  proxies.push(proxy);
  return proxy;
}

const good: RequestListener = (_request, response) => void response.end('good');
/** Takes the request and dies over it. */
const dying: RequestListener = (request) => void request.socket.destroy();
const draining: RequestListener = (_request, response) => void response.writeHead(503).end('draining');

async function ask(proxy: Proxy, method: string, path = '/poll'): Promise<number> {
  const body = method === 'POST' ? '{"event":"e"}' : null;
  const answer = await fetch(proxy.url + path, { method, body });
  await answer.text();
  return answer.status;
}

describe.each<ProxyName>(['nginx', 'haproxy'])('%s', (name) => {
  it('asks another instance when one answers 503 or breaks off, and nobody notices', async () => {
    const behind = [await target(draining), await target(dying), await target(good)];
    const proxy = await proxyOf(name, behind);
    for (let n = 0; n < 12; n++) expect(await ask(proxy, 'GET')).toBe(200);
    const [bad = 0, broken = 0, well] = behind.map(({ requests }) => requests.length);
    expect(well).toBe(12);
    expect(bad + broken, 'asked at all').toBeGreaterThan(0);
  });

  it('never sends a POST a second time once it was sent', async () => {
    const behind = [await target(dying)];
    const proxy = await proxyOf(name, behind);
    expect(await ask(proxy, 'POST')).toBe(502);
    expect(behind[0]?.requests).toHaveLength(1);
  });

  it('hands a 503 to the one who posted: only he knows whether to come again', async () => {
    const behind = [await target(draining)];
    const proxy = await proxyOf(name, behind);
    expect(await ask(proxy, 'POST')).toBe(503);
    expect(behind[0]?.requests).toHaveLength(1);
  });

  it('sends a POST elsewhere when an instance is not there', async () => {
    const gone = await target(good);
    const behind = [gone, await target(good), await target(good)];
    const proxy = await proxyOf(name, behind);
    gone.server.closeAllConnections();
    await new Promise((resolve) => gone.server.close(resolve));
    const answers = await Promise.all(Array.from({ length: 9 }, () => ask(proxy, 'POST')));
    expect(answers).toEqual(Array.from({ length: 9 }, () => 200));
  });

  it('tells the address of the client, and nothing that the client wrote there', async () => {
    const behind = [await target(good)];
    const proxy = await proxyOf(name, behind);
    const headers = { 'x-forwarded-for': '8.8.8.8', 'x-real-ip': '8.8.8.8', 'x-forwarded-proto': 'https' };
    await fetch(`${proxy.url}/poll`, { headers });
    expect(behind[0]?.requests[0]?.headers).toMatchObject({
      host: new URL(proxy.url).host,
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'http',
    });
  });

  it('keeps figures and health to itself', async () => {
    const behind = [await target(good)];
    const proxy = await proxyOf(name, behind);
    const kept = ['/metrics', '/health', '/health/live', '/health/ready'];
    // The server takes these too.
    const spellings = ['/METRICS', '/metrics/', '/Metrics/?x', '/HEALTH/live', '/health/Ready/'];
    for (const path of [...kept, ...spellings]) expect(await ask(proxy, 'GET', path), path).toBe(404);
    expect(behind[0]?.requests).toEqual([]);
    expect(await ask(proxy, 'GET', '/metrics-of-mine')).toBe(200);
  });

  it('takes a cursor over more than a hundred channels, in the query or in a header', async () => {
    const behind = [await target(good)];
    const proxy = await proxyOf(name, behind);
    const cursor = 'x'.repeat(12_000);
    expect(await ask(proxy, 'GET', `/sse?cursor=${cursor}`)).toBe(200);
    const answer = await fetch(`${proxy.url}/sse`, { headers: { 'last-event-id': cursor } });
    expect(answer.status).toBe(200);
    expect(behind[0]?.requests[1]?.headers['last-event-id']).toBe(cursor);
  });

  it('limits strangers by address, and not your own backends', async () => {
    const behind = [await target(good)];
    const few: readonly Change[] =
      name === 'nginx'
        ? [
            ['rate=50r/s', 'rate=1r/m'],
            ['burst=200', 'burst=4'],
          ]
        : [['http_req_rate(0) gt 500', 'http_req_rate(0) gt 5']];
    const stranger: Change =
      name === 'nginx' ? ['127.0.0.0/8   1;', ''] : ['trusted src 127.0.0.0/8', 'trusted src'];
    const ours = await proxyOf(name, behind, few);
    const theirs = await proxyOf(name, behind, [...few, stranger]);
    const statuses = async (proxy: Proxy): Promise<readonly number[]> => {
      const all: number[] = [];
      for (let n = 0; n < 8; n++) all.push(await ask(proxy, 'GET'));
      return all;
    };
    expect(await statuses(ours)).toEqual([200, 200, 200, 200, 200, 200, 200, 200]);
    expect(await statuses(theirs)).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
  });

  it('cuts what is silent for longer than its time-out, so that heartbeats are needed', async () => {
    const server = await startE2e({ env: { TRUNKLINE_HEARTBEAT_MS: '60000' } });
    servers.push(server);
    const short: readonly Change[] =
      name === 'nginx'
        ? [['proxy_read_timeout 90s', 'proxy_read_timeout 1s']]
        : [['timeout tunnel  90s', 'timeout tunnel 1s']];
    const proxy = await startProxy(name, [server.port, server.port, server.port], short);
    proxies.push(proxy);
    const socket = new WebSocket(proxy.wsUrl, ['trunkline.v1', `bearer.${server.token('ana')}`]);
    const code = await new Promise<number>((resolve) => socket.once('close', resolve));
    expect(code).toBe(1006);
    await until(() => server.stats().sessions === 0, 'the server to notice');
  });
});

describe('haproxy', () => {
  it('gives nobody to an instance from its first 503 on, and comes back when it is ready', async () => {
    const behind = [await target(good), await target(good), await target(good)];
    const [first] = behind as [Target];
    const proxy = await proxyOf('haproxy', behind);
    const states = async (): Promise<string> =>
      (await (await fetch(`${proxy.figuresUrl}/;csv`)).text())
        .split('\n')
        .map((line) => line.split(','))
        .filter(([pool, server]) => pool === 'trunkline' && server === 'a')
        .map((fields) => fields[17])
        .join();
    await until(async () => (await states()) === 'UP', 'the first check');
    first.ready = false;
    await until(async () => (await states()) === 'DOWN', 'one check', 3000);
    for (let n = 0; n < 9; n++) expect(await ask(proxy, 'GET')).toBe(200);
    expect(first.requests).toHaveLength(0);
    first.ready = true;
    await until(async () => (await states()).startsWith('UP'), 'two checks', 5000);
    expect((await (await fetch(`${proxy.figuresUrl}/metrics`)).text()).length).toBeGreaterThan(1000);
  });
});
