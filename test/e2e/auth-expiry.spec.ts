// A token ends: the session is told before, refreshed in time or closed, and hears nothing afterwards.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { FastPublisher } from '../support/fast-publisher.js';
import { refused, disposeClients } from '../support/ws-client.js';

/** A deadline is served at most two buckets of 200 ms late. */
const LATE_MS = 500;
const CHANNEL = 'time:one';

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({ rules: [{ channel: 'time:{name}', history: { size: 1000, ttl: '1m' } }] });
});
afterEach(disposeClients);
afterAll(() => server.close());

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

describe('a session whose token ends', () => {
  it('is told `expiring`, closed 4200 at the end, and hears nothing after it', async () => {
    const exp = inSeconds(3);
    const client = await server.join('ana', { claims: { exp } });
    await client.subscribe(CHANNEL);
    expect((await client.next('expiring')).data['expiresAt']).toBe(exp * 1000);
    const publisher = new FastPublisher(server.realtime, CHANNEL);
    expect(await client.closed).toEqual({ code: 4200, reason: 'token expired' });
    const closedAt = Date.now();
    await publisher.stop();
    expect(closedAt).toBeGreaterThanOrEqual(exp * 1000);
    expect(closedAt).toBeLessThan(exp * 1000 + LATE_MS + 500);
    const times = client.frames
      .filter(({ event }) => event === 'message')
      .map(({ data }) => data['time'] as number);
    expect(times.length).toBeGreaterThan(50);
    expect(times.reduce((latest, time) => Math.max(latest, time), 0)).toBeLessThan(exp * 1000 + LATE_MS);
    expect(client.frames.filter(({ event }) => event === 'expiring')).toHaveLength(1);
  });

  it('is not told `expiring` while the end is far', async () => {
    const client = await server.join('ana');
    await client.subscribe(CHANNEL);
    await client.expectNone('expiring');
  });

  it('lives on when it authenticates again in time', async () => {
    const client = await server.join('ana', { claims: { exp: inSeconds(2) } });
    await client.subscribe(CHANNEL);
    await client.next('expiring');
    const exp = inSeconds(5);
    const reply = await client.ok('authenticate', { token: server.token('ana', { exp }) });
    expect(reply).toMatchObject({ user: 'ana', expiresAt: exp * 1000 });
    expect((await client.next('expiring')).data['expiresAt'], 'the new end is near as well').toBe(exp * 1000);
    expect((await client.closed).code).toBe(4200);
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  });

  it('keeps its subscriptions when it authenticates again', async () => {
    const client = await server.join('ana', { claims: { exp: inSeconds(20) } });
    await client.subscribe(CHANNEL);
    await client.ok('authenticate', { token: server.token('ana') });
    await client.publish(CHANNEL, 'still here');
    expect((await client.next('message', ({ data }) => data.data === 'still here')).data.data).toBe(
      'still here',
    );
  });

  it('cannot become another user, and stays who it was', async () => {
    const client = await server.join('ana', { claims: { name: 'Ana' } });
    expect(await client.refusal('authenticate', { token: server.token('ben') })).toBe('forbidden');
    await client.subscribe(CHANNEL);
    await client.publish(CHANNEL, 'who');
    expect((await client.next('message', ({ data }) => data.data === 'who')).data.from).toEqual({
      user: 'ana',
      name: 'Ana',
    });
  });
});

describe('a token that has ended', () => {
  it('is refused with 401 before the upgrade', async () => {
    const refusal = await refused(server.wsUrl, { token: server.token('ana', { exp: inSeconds(-60) }) });
    expect([refusal.status, refusal.code]).toEqual([401, 'expired']);
  });

  it('within the leeway of five seconds is let in and closed 4200 at once', async () => {
    const client = await server.join('ana', { claims: { exp: inSeconds(-2) } });
    expect((await client.closed).code).toBe(4200);
  });
});
