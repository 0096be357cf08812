// How many sessions there may be: refused by HTTP before the upgrade, and free again when somebody leaves.

import { afterEach, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { until } from '../support/wait.js';
import { refused } from '../support/ws-client.js';

let server: E2eServer;
afterEach(() => server.close());

describe('the cap of sessions per user', () => {
  it('refuses the newcomer with 429 before the upgrade, and only of that user', async () => {
    server = await startE2e({ env: { TRUNKLINE_MAX_SESSIONS_PER_USER: '3' } });
    const own = await Promise.all([1, 2, 3].map(() => server.join('ana')));
    const refusal = await refused(server.wsUrl, { token: server.token('ana') });
    expect([refusal.status, refusal.code]).toEqual([429, 'limit_exceeded']);
    expect(Number(refusal.headers['retry-after'])).toBeGreaterThan(0);
    await server.join('ben');
    await Promise.all(own.map((client) => client.settled()));

    await own[0]?.close();
    await until(() => server.realtime.sessions('ana').length === 2, 'the place to be free');
    await server.join('ana');
  });

  it('holds against many who come at once', async () => {
    server = await startE2e({ env: { TRUNKLINE_MAX_SESSIONS_PER_USER: '5' } });
    const tries = await Promise.allSettled(Array.from({ length: 40 }, () => server.join('ana')));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect(server.realtime.sessions('ana')).toHaveLength(5);
  });
});

describe('the cap of sessions on an instance', () => {
  it('refuses everyone with 503 and Retry-After, and HTTP goes on', async () => {
    server = await startE2e({ env: { TRUNKLINE_MAX_SESSIONS: '4' } });
    const [first] = await Promise.all(['a', 'b', 'c', undefined].map((user) => server.join(user)));
    const refusal = await refused(server.wsUrl, { token: server.token('late') });
    expect([refusal.status, refusal.code]).toEqual([503, 'unavailable']);
    expect(Number(refusal.headers['retry-after'])).toBeGreaterThan(0);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    await first?.close();
    await until(() => server.stats().sessions === 3, 'the place to be free');
    await server.join('late');
  });
});

describe('the rate of connections from one address', () => {
  it('refuses with 429 and tells when to come again', async () => {
    server = await startE2e({ env: { TRUNKLINE_CONNECT_RATE: '3/1h' } });
    for (let n = 0; n < 6; n++) await server.join(`user-${n}`);
    const refusal = await refused(server.wsUrl, { token: server.token('late') });
    expect([refusal.status, refusal.code]).toEqual([429, 'rate_limited']);
    expect(Number(refusal.headers['retry-after'])).toBeGreaterThan(1000);
  });
});
