// What an operator sees: health, metrics whose figures move, and logs without a token.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { killProcesses, startProcess } from '../support/processes.js';
import { signToken } from '../support/server.js';
import { until } from '../support/wait.js';
import { connect, disposeClients, refused } from '../support/ws-client.js';

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({ rules: [{ channel: 'ops:{name}', history: { size: 5, ttl: '1m' } }] });
});
afterEach(disposeClients);
afterAll(async () => {
  await server.close();
  await killProcesses();
});

type Figures = ReadonlyMap<string, number>;

/** Name with labels, as it stands in the text, to its value. */
async function metrics(): Promise<Figures> {
  const response = await fetch(`${server.url}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const cut = line.lastIndexOf(' ');
      return [line.slice(0, cut), Number(line.slice(cut + 1))];
    }),
  );
}

/** What `act` added to each figure that changed. */
async function movedBy(act: () => Promise<void>): Promise<(name: string) => number> {
  const before = await metrics();
  await act();
  const after = await metrics();
  return (name) => (after.get(`trunkline_${name}`) ?? 0) - (before.get(`trunkline_${name}`) ?? 0);
}

describe('health', () => {
  it('says up and ready', async () => {
    const [live, ready] = await Promise.all([
      fetch(`${server.url}/health/live`),
      fetch(`${server.url}/health/ready`),
    ]);
    expect([live.status, await live.json()]).toEqual([200, { status: 'up' }]);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', draining: false, backplane: 'up' },
    ]);
    for (const { headers } of [live, ready]) expect(headers.get('cache-control')).toBe('no-store');
  });
});

describe('metrics', () => {
  it('have a name and a help text for each figure from the first scrape on', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const names = [
      'sessions',
      'users',
      'channels',
      'draining',
      'backplane_up',
      'publications_total',
      'publications_duplicate_total',
      'deliveries_total',
      'replays_total',
      'outbox_dropped_total',
      'discontinuities_total',
      'repairs_total',
      'bus_duplicates_total',
      'revoked_sessions_total',
      'revocations',
      'frames_total',
      'closes_total',
      'errors_total',
      'resumes_total',
    ];
    for (const name of names) expect(text).toMatch(new RegExp(`^# HELP trunkline_${name} \\S.{10,}$`, 'm'));
    expect(text).toMatch(/^process_resident_memory_bytes \d/m);
  });

  it('count sessions, users and channels as they are now', async () => {
    const before = await metrics();
    const [ana] = await Promise.all([server.join('ana'), server.join('ana'), server.join('ben')]);
    await ana.subscribe('ops:now');
    const now = await metrics();
    const rise = (name: string): number => (now.get(name) ?? NaN) - (before.get(name) ?? NaN);
    expect(rise('trunkline_sessions{transport="ws"}')).toBe(3);
    expect(rise('trunkline_users')).toBe(2);
    expect(rise('trunkline_channels')).toBe(1);
    expect([now.get('trunkline_draining'), now.get('trunkline_backplane_up')]).toEqual([0, 1]);
    disposeClients();
    await until(
      async () => (await metrics()).get('trunkline_sessions{transport="ws"}') === 0,
      'the sessions to end',
    );
  });

  it('count publications, deliveries, duplicates, replays and refused resumes', async () => {
    const [ana, ben] = await Promise.all([server.join('ana'), server.join('ben')]);
    await Promise.all([ana.subscribe('ops:flow'), ben.subscribe('ops:flow')]);
    const moved = await movedBy(async () => {
      const { epoch } = await ana.publish('ops:flow', 1);
      await ana.publish('ops:flow', 2, { idempotencyKey: 'k' });
      await ana.publish('ops:flow', 2, { idempotencyKey: 'k' });
      await ben.next('message', ({ data }) => data.offset === 2);
      await ben.ok('unsubscribe', { channel: 'ops:flow' });
      await ben.subscribe('ops:flow', { since: { epoch, offset: 0 } });
      await ben.ok('unsubscribe', { channel: 'ops:flow' });
      await ben.subscribe('ops:flow', { since: { epoch: 'another', offset: 0 } });
      await ana.settled();
    });
    expect(moved('publications_total')).toBe(2);
    expect(moved('publications_duplicate_total')).toBe(1);
    expect(moved('deliveries_total')).toBe(4);
    expect(moved('replays_total')).toBe(2);
    expect(moved('resumes_total{outcome="recovered"}')).toBe(1);
    expect(moved('resumes_total{outcome="refused"}')).toBe(1);
    expect(moved('discontinuities_total')).toBe(1);
    expect(moved('frames_total')).toBe(8);
  });

  it('count errors and closes by code', async () => {
    const moved = await movedBy(async () => {
      const client = await server.join('ana');
      await client.refusal('subscribe', { channel: 'unknown:a' });
      await client.refusal('nonsense');
      client.sendText('{');
      await client.next('error');
      await client.close(1000);
      const stranger = await server.join(undefined);
      stranger.send({ event: 'authenticate', data: { token: 'abc' } });
      await stranger.closed;
      const odd = await server.join('ben');
      await odd.close(4999);
      await until(() => server.stats().sessions === 0, 'the sessions to end');
    });
    expect(moved('errors_total{code="unknown_channel"}')).toBe(1);
    expect(moved('errors_total{code="unknown_event"}')).toBe(1);
    expect(moved('errors_total{code="invalid_frame"}')).toBe(1);
    expect(moved('closes_total{code="1000"}')).toBe(1);
    expect(moved('closes_total{code="4002"}')).toBe(1);
    expect(moved('closes_total{code="4999"}'), 'a peer cannot make rows of its own').toBe(0);
    expect(moved('closes_total{code="0"}')).toBe(1);
  });
});

describe('logs at their loudest', () => {
  it('show no token, however it came, and are one JSON object a line', async () => {
    const loud = await startProcess({ TRUNKLINE_LOG_LEVEL: 'trace', TRUNKLINE_DRAIN_MS: '0' });
    const tokens = Object.fromEntries(
      ['header', 'cookie', 'protocol', 'query', 'frame', 'rest', 'payload', 'sub'].map((way) => [
        way,
        signToken({ sub: way, jti: way }),
      ]),
    ) as Record<string, string>;
    const bad = signToken({ sub: 'bad' }, 'another-secret-that-is-long-enough-0123');
    const origin = `http://127.0.0.1:${loud.port}`;

    await connect(loud.wsUrl, { token: tokens['header'] });
    await connect(loud.wsUrl, { headers: { cookie: `trunkline_token=${tokens['cookie']}`, origin } });
    await connect(loud.wsUrl, { protocols: ['trunkline.v1', `bearer.${tokens['protocol']}`] });
    await connect(`${loud.wsUrl}?token=${tokens['query']}`);
    const stranger = await connect(loud.wsUrl);
    await stranger.ok('authenticate', { token: tokens['frame'] });
    await stranger.refusal(`event-${tokens['payload']?.slice(0, 40)}`, { token: tokens['payload'] });
    await refused(loud.wsUrl, { token: bad });
    await fetch(`${loud.url}/api/stats?token=${tokens['query']}`, {
      headers: { authorization: `Bearer ${bad}` },
    });
    await fetch(`${loud.url}/api/channels/chat:a/messages`, {
      headers: { authorization: `Bearer ${tokens['rest']}` },
    });
    await fetch(`${loud.url}/nowhere/${tokens['payload']}?ticket=${tokens['query']}`);
    await fetch(`${loud.url}/api/channels/chat:a/messages`, {
      method: 'POST',
      body: `{"${tokens['payload']}`,
    });
    expect(await loud.kill('SIGTERM')).toEqual({ code: 0, signal: null });

    const secrets = [...Object.values(tokens), bad].map((token) => token.split('.')[2] as string);
    for (const secret of secrets) expect(loud.output).not.toContain(secret);
    const lines = loud.output.split('\n').filter((line) => line.startsWith('{'));
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ level: expect.any(String) as string });
  }, 60_000);
});
