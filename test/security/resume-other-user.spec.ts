// Positions, cursors and session ids of somebody else give nothing: who resumes may read what he may read, and no more.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { poll } from '../support/poll-client.js';
import { disposeStreams, openSse, sseRefused } from '../support/sse-client.js';
import { disposeClients } from '../support/ws-client.js';

const MINE = 'granted:ana';
const OPEN = 'room:one';
const rights = { channels: { [MINE]: ['subscribe', 'publish', 'history'] } };

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({
    rules: [
      {
        channel: 'granted:{name}',
        subscribe: 'capability',
        publish: 'capability',
        history: { size: 50, ttl: '1h' },
      },
      { channel: 'room:{name}', history: { size: 50, ttl: '1h' } },
    ],
  });
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(() => server.close());

/** A cursor of ana in her own channel and in one for all, with messages after it. */
async function cursorOfAna(): Promise<string> {
  const token = server.token('ana', rights);
  const stream = await openSse(server.url, [MINE, OPEN], { token });
  await stream.ready();
  const cursor = stream.lastEventId;
  stream.destroy();
  for (const channel of [MINE, OPEN]) await server.realtime.publish(channel, 'note', `secret of ${channel}`);
  return cursor;
}

describe('the cursor of another user', () => {
  it('opens no stream to his channels', async () => {
    const cursor = await cursorOfAna();
    const token = server.token('ben');
    for (const channels of [[MINE], [OPEN, MINE]]) {
      const refusal = await sseRefused(server.url, channels, { token, lastEventId: cursor });
      expect([refusal.status, refusal.problem['channel']]).toEqual([403, MINE]);
      expect(refusal.body).not.toContain('secret of');
    }
    expect((await sseRefused(server.url, [MINE], { cursor })).status).toBe(401);
  });

  it('gives on a stream only what was asked for by name and may be read', async () => {
    const cursor = await cursorOfAna();
    for (const channels of [[OPEN], []] as const) {
      const stream = await openSse(server.url, channels, { token: server.token('ben'), lastEventId: cursor });
      const ready = await stream.ready();
      expect(ready.user).toBe('ben');
      expect(ready.channels.map(({ channel }) => channel)).toEqual(channels);
      await server.realtime.publish(MINE, 'note', 'a later secret');
      await server.realtime.publish(OPEN, 'note', 'the end');
      if (channels.length > 0) {
        await stream.next('message', ({ data }) => data.data === 'the end');
        expect(stream.events.some(({ text }) => text.includes(MINE) && text.includes('secret'))).toBe(false);
      } else expect(stream.events.map(({ event }) => event)).toEqual(['ready']);
    }
  });

  it('gives a poll nothing of his channels', async () => {
    const cursor = await cursorOfAna();
    const token = server.token('ben');
    for (const wait of [0, 25]) {
      const refused = await poll(server.url, [MINE], { token, cursor, wait });
      expect([refused.status, refused.text.includes('secret of')]).toEqual([403, false]);
      const open = await poll(server.url, [OPEN], { token, cursor, wait });
      expect(open.body.messages.map(({ channel }) => channel)).toEqual([OPEN]);
    }
  });
});

describe('the position of another user', () => {
  it('gives no WebSocket his messages', async () => {
    const ana = await server.join('ana', { claims: rights });
    const { epoch, offset, id } = await ana.subscribe(MINE);
    await server.realtime.publish(MINE, 'note', 'a secret');
    const ben = await server.join('ben');
    const since = { epoch, offset, id };
    expect(await ben.refusal('subscribe', { channel: MINE, since })).toBe('forbidden');
    expect(await ben.refusal('history', { channel: MINE, since })).toBe('forbidden');
    expect(JSON.stringify(ben.frames)).not.toContain('a secret');
  });
});

describe('a session id', () => {
  it('has 128 bits of chance and never comes twice, on each transport', async () => {
    const ids = new Set<string>();
    for (let n = 0; n < 100; n++) {
      const socket = await server.join('ana');
      ids.add((await socket.next('welcome')).data.session);
      const stream = await openSse(server.url, [OPEN], { token: server.token('ana') });
      ids.add((await stream.ready()).session);
      socket.cut();
      stream.destroy();
    }
    expect(ids.size).toBe(200);
    for (const id of ids) {
      expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
      expect(Buffer.from(id, 'base64url')).toHaveLength(16);
    }
    // Each of the 128 bits is now this and now that: with 200 ids a bit stands still once in 2^192 runs.
    const bytes = [...ids].map((id) => Buffer.from(id, 'base64url'));
    for (let bit = 0; bit < 128; bit++) {
      const values = new Set(bytes.map((buffer) => ((buffer[bit >> 3] as number) >> (bit & 7)) & 1));
      expect(values.size, `bit ${bit}`).toBe(2);
    }
  });

  it('is no credential: it opens nothing, and nothing is said to it', async () => {
    const ana = await server.join('ana');
    const { session } = (await ana.next('welcome')).data;
    await ana.subscribe(OPEN);
    for (const headers of [{ authorization: `Bearer ${session}` }, { cookie: `trunkline_token=${session}` }])
      expect((await sseRefused(server.url, [OPEN], { headers })).status).toBe(401);
    const ben = await server.join('ben');
    expect(await ben.refusal('authenticate', { token: session })).toBe('unauthenticated');
    expect((await ben.next('welcome')).data.session).not.toBe(session);
    const token = server.token('ben');
    const sessions = await fetch(`${server.url}/api/sessions?user=ana`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(sessions.status).toBe(403);
    expect(await sessions.text()).not.toContain(session);
    await ana.settled();
  });

  it('cannot be taken over by changing the user of a session', async () => {
    const ana = await server.join('ana');
    await ana.next('welcome');
    expect(await ana.refusal('authenticate', { token: server.token('ben') })).toBe('forbidden');
    expect(server.realtime.sessions('ben')).toEqual([]);
  });
});
