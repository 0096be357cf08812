// The limits that count by address, against those who write into X-Forwarded-For, change their transport, or come as strangers.

import { Controller, Get, Module } from '@nestjs/common';
import { afterEach, describe, expect, it } from 'vitest';
import { Authenticated } from '../../src/index.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { frame, RawSocket } from '../support/raw-socket.js';
import { until } from '../support/wait.js';

const RULES = [
  { channel: 'room:{name}', subscribe: 'anyone', publish: 'anyone', maxBytes: 65_536 },
  { channel: 'members:{name}', subscribe: 'authenticated', publish: 'authenticated' },
];
const PROXY = { TRUNKLINE_TRUSTED_PROXIES: '127.0.0.1' };

const sockets: RawSocket[] = [];
let server: E2eServer;
afterEach(async () => {
  for (const raw of sockets.splice(0)) raw.dispose();
  await server.close();
});

type Headers = Readonly<Record<string, string>>;

/** The socket when it opened, and the status of the answer. */
async function open(headers: Headers = {}): Promise<{ raw: RawSocket; status: number }> {
  const raw = await RawSocket.open(server.port);
  sockets.push(raw);
  const { status } = await raw.upgrade({ headers });
  if (status === 101) await raw.push('welcome');
  return { raw, status };
}

const statuses = async (all: readonly Headers[]): Promise<number[]> => {
  const found: number[] = [];
  for (const headers of all) found.push((await open(headers)).status);
  return found;
};
const chain = (value: string): Headers => ({ 'X-Forwarded-For': value });
const good = (): Headers => ({ Authorization: `Bearer ${server.token('ana')}` });
const BAD: Headers = { Authorization: 'Bearer wrong' };

describe('X-Forwarded-For', () => {
  it('of a peer that nobody trusts changes nothing', async () => {
    server = await startE2e({ env: { TRUNKLINE_CONNECT_RATE: '1/1h' } });
    const all = ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4'].map(chain);
    expect(await statuses(all)).toEqual([101, 101, 429, 429]);
  });

  it('of a trusted proxy tells clients apart by its right end alone', async () => {
    server = await startE2e({ env: { TRUNKLINE_CONNECT_RATE: '1/1h', ...PROXY } });
    const spoofing = ['8.8.8.8', '1.1.1.1, 8.8.8.8', '127.0.0.1, 8.8.8.8', ', 8.8.8.8'].map(chain);
    expect(await statuses(spoofing)).toEqual([101, 101, 429, 429]);
    expect(await statuses([chain('9.9.9.9')])).toEqual([101]);
    const forwarded = { Forwarded: 'for=7.7.7.7', ...chain('8.8.8.8') };
    expect(await statuses([forwarded])).toEqual([429]);
  });

  it('counts a /64 of IPv6 as one client, and IPv4 in IPv6 as IPv4', async () => {
    server = await startE2e({ env: { TRUNKLINE_CONNECT_RATE: '1/1h', ...PROXY } });
    const net = ['2001:db8::1', '2001:db8::2', '2001:db8::ffff:0:0:3', '2001:db8:0:1::1'].map(chain);
    expect(await statuses(net)).toEqual([101, 101, 429, 101]);
    const mapped = ['8.8.8.8', '::ffff:8.8.8.8', '::ffff:808:808'].map(chain);
    expect(await statuses(mapped)).toEqual([101, 101, 429]);
  });

  it('is read for streams and for REST as it is for sockets', async () => {
    server = await startE2e({
      rules: RULES,
      env: { TRUNKLINE_CONNECT_RATE: '1/1h', TRUNKLINE_HTTP_RATE: '1/1h', ...PROXY },
    });
    const stream = async (from: string): Promise<number> => {
      const response = await fetch(`${server.url}/sse?channel=room:a`, { headers: chain(from) });
      await response.body?.cancel();
      return response.status;
    };
    expect(await statuses([chain('8.8.8.8')])).toEqual([101]);
    expect([await stream('1.1.1.1, 8.8.8.8'), await stream('2.2.2.2, 8.8.8.8')]).toEqual([200, 429]);
    const rest = async (from: string): Promise<number> =>
      (await fetch(`${server.url}/api/channels/room:a/messages`, { headers: chain(from) })).status;
    expect([await rest('8.8.8.8'), await rest('1.1.1.1, 8.8.8.8'), await rest('9.9.9.9')]).toEqual([
      200, 429, 200,
    ]);
  });
});

describe('failed logins', () => {
  const RATE = { TRUNKLINE_FAILED_LOGIN_RATE: '3/1h', ...PROXY };

  it('on every transport, and by `authenticate`, count together; then a good credential is not looked at anywhere', async () => {
    server = await startE2e({ rules: RULES, env: RATE });
    const from = chain('8.8.8.8');
    const ask = async (path: string, headers: Headers): Promise<Response> => {
      const response = await fetch(server.url + path, { headers: { ...from, ...headers } });
      await response.body?.cancel();
      return response;
    };
    const paths = [
      '/sse?channel=members:a',
      '/poll?channel=members:a&wait=0',
      '/api/channels/members:a/messages',
    ];
    for (const path of paths) expect((await ask(path, BAD)).status).toBe(401);
    expect((await open({ ...from, ...BAD })).status).toBe(401);
    for (let i = 0; i < 2; i++) {
      const { raw } = await open(from);
      raw.send({ event: 'authenticate', id: 1, data: { token: 'wrong' } });
      expect((await raw.waitForClose()).code).toBe(4002);
    }
    for (const path of paths) {
      const response = await ask(path, good());
      expect(response.status).toBe(429);
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await open({ ...from, ...good() })).status).toBe(429);
    const { raw, status } = await open(from);
    expect(status).toBe(101);
    const reply = await raw.request('authenticate', { token: server.token('ana') });
    expect(reply.data).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) as number });
    expect((await open({ ...chain('9.9.9.9'), ...good() })).status).toBe(101);
  });

  it('are not caused by pages of other sites in the browser of somebody who comes from there', async () => {
    server = await startE2e({ rules: RULES, env: { ...RATE, TRUNKLINE_QUERY_TOKENS: 'on' } });
    const page = { origin: 'https://evil.example' };
    const picture = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
    const ask = async (path: string, headers: Headers): Promise<number> =>
      (await fetch(server.url + path, { headers })).status;
    for (const bad of ['ticket=tkt_wrong', 'token=wrong'])
      for (let i = 0; i < 4; i++) {
        const raw = await RawSocket.open(server.port);
        sockets.push(raw);
        const { status } = await raw.upgrade({ path: `/ws?${bad}`, headers: page });
        const stream = await ask(`/sse?channel=room:a&${bad}`, page);
        const image = await ask(`/poll?channel=room:a&wait=0&${bad}`, picture);
        expect([status, stream, image]).toEqual([403, 403, 403]);
      }
    expect(await ask('/api/sessions?user=ana', good())).toBe(200);
    expect((await open(good())).status).toBe(101);
  });

  it('of others leave strangers of the same address in', async () => {
    server = await startE2e({ rules: RULES, env: RATE });
    for (let i = 0; i < 6; i++) await open(BAD);
    expect(await statuses([good(), {}])).toEqual([429, 101]);
  });
});

describe('HTTP requests without a credential', () => {
  @Controller('open')
  class Open {
    @Get()
    all(): string {
      return 'all';
    }

    @Get('known')
    @Authenticated()
    known(): string {
      return 'known';
    }
  }

  @Module({ controllers: [Open] })
  class OpenModule {}

  const ask = async (path: string, headers: Headers): Promise<readonly number[]> => {
    const found: number[] = [];
    for (let i = 0; i < 4; i++) found.push((await fetch(server.url + path, { headers })).status);
    return found;
  };

  it('are not fewer for a header that the route does not read', async () => {
    server = await startE2e({ boot: { modules: [OpenModule] }, env: { TRUNKLINE_HTTP_RATE: '2/1h' } });
    expect(await ask('/open', BAD)).toEqual([200, 200, 429, 429]);
    expect(await ask('/open', { cookie: 'trunkline_token=x' })).toEqual([429, 429, 429, 429]);
    expect(await ask('/open', good())).toEqual([429, 429, 429, 429]);
  });

  it('are not fewer for a cookie of another name; who brings a credential is not counted', async () => {
    server = await startE2e({ boot: { modules: [OpenModule] }, env: { TRUNKLINE_HTTP_RATE: '2/1h' } });
    expect(await ask('/open/known', good())).toEqual([200, 200, 200, 200]);
    const cookie = `a=b; trunkline_token=${server.token('ana')}`;
    expect(await ask('/open/known', { cookie })).toEqual([200, 200, 200, 200]);
    expect(await ask('/open/known', BAD)).toEqual([401, 401, 401, 401]);
    expect(await ask('/open/known', { cookie: 'xtrunkline_token=1' })).toEqual([200, 200, 429, 429]);
  });
});

describe('a stranger', () => {
  const ENV = { TRUNKLINE_MAX_STRANGERS_PER_ADDRESS: '1' };

  it('makes room when he logs in, subscribes or goes', async () => {
    server = await startE2e({ rules: RULES, env: ENV });
    const first = await open();
    expect((await open()).status).toBe(429);
    expect((await first.raw.request('authenticate', { token: server.token('ana') })).event).toBe('ok');
    const second = await open();
    expect(second.status).toBe(101);
    expect((await open()).status).toBe(429);
    expect((await second.raw.request('subscribe', { channel: 'room:a' })).event).toBe('ok');
    const third = await open();
    expect(third.status).toBe(101);
    expect((await open()).status).toBe(429);
    third.raw.dispose();
    await until(async () => (await open()).status === 101, 'room');
  });

  it('does not make room by pings, nor by what is refused', async () => {
    server = await startE2e({ rules: RULES, env: ENV });
    const { raw } = await open();
    await raw.request('ping');
    expect((await raw.request('subscribe', { channel: 'members:a' })).event).toBe('error');
    expect((await raw.request('publish', { channel: 'room:a', event: 'e', data: 1 })).event).toBe('ok');
    expect((await open()).status).toBe(429);
  });

  it('takes no room from those who bring a credential', async () => {
    server = await startE2e({ rules: RULES, env: ENV });
    expect(await statuses([{}, good(), good(), {}])).toEqual([101, 101, 101, 429]);
  });

  const big = { channel: 'room:a', event: 'e', data: 'x'.repeat(5000) };

  it('may send as much as everybody once he has logged in, and once he has subscribed', async () => {
    server = await startE2e({ rules: RULES });
    const user = await open();
    await user.raw.request('authenticate', { token: server.token('ana') });
    expect((await user.raw.request('publish', big)).event).toBe('ok');
    const reader = await open();
    await reader.raw.request('subscribe', { channel: 'room:a' });
    expect((await reader.raw.request('publish', big)).event).toBe('ok');
  });

  it('is closed for a longer message, in fragments too', async () => {
    server = await startE2e({ rules: RULES });
    const { raw } = await open();
    const half = 'x'.repeat(2500);
    raw.write(frame({ payload: half, fin: false }), frame({ opcode: 0, payload: half }));
    expect((await raw.waitForClose()).code).toBe(1009);
  });
});

describe('an unsubscribe', () => {
  it.each([
    ['frames', { TRUNKLINE_MESSAGE_RATE: '1/1h' }],
    ['bytes', { TRUNKLINE_BYTE_RATE: '100/1h' }],
  ])('over the limit of %s is counted and carried out', async (_limit, env) => {
    server = await startE2e({ rules: RULES, env });
    const { raw } = await open(good());
    expect((await raw.request('subscribe', { channel: 'room:a' })).event).toBe('ok');
    for (let i = 0; i < 4; i++) await raw.request('ping');
    expect((await raw.request('ping')).data).toMatchObject({ code: 'rate_limited' });
    expect((await raw.request('unsubscribe', { channel: 'room:a' })).event).toBe('ok');
    expect(server.core.hub.channels()).toEqual([]);
  });
});
