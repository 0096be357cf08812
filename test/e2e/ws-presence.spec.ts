// Who is in a chat room, who types: joins and leaves once per user, a leave that waits for a return, and events that are not kept.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, startPatched, type E2eServer } from '../support/e2e-server.js';
import { until } from '../support/wait.js';
import { connect, disposeClients, type Frame, type WsClient } from '../support/ws-client.js';

/** As the contract says. A busy machine may be late, never early. */
const LEAVE_GRACE_MS = 2000;

let server: E2eServer;
let room = 'chat:none';
let count = 0;
beforeAll(async () => {
  server = await startE2e();
});
afterEach(disposeClients);
afterAll(() => server.close());

/** Enters a room; the first call of a test with `fresh` makes a new one. */
async function enter(user: string, { fresh = false, presence = true } = {}): Promise<WsClient> {
  if (fresh) room = `chat:room-${++count}`;
  const client = await server.join(user, { claims: { name: user.toUpperCase() } });
  await client.subscribe(room, { presence });
  return client;
}

const about =
  (user: string) =>
  ({ data }: Frame): boolean =>
    data.member.user === user;

async function members(client: WsClient): Promise<readonly (readonly [string, number])[]> {
  const reply = await client.ok('presence', { channel: room });
  const list = reply.members.map(({ user, connections }) => [user, connections] as const);
  return list.sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('members', () => {
  it('come with the subscribe reply, one a user, with name and number of connections', async () => {
    await enter('ana', { fresh: true });
    await enter('ana');
    const ben = await server.join('ben', { claims: { name: 'BEN' } });
    const reply = await ben.subscribe(room, { presence: true });
    const sorted = [...reply.members].sort((a, b) => (a.user < b.user ? -1 : 1));
    expect(sorted).toEqual([
      { user: 'ana', name: 'ANA', connections: 2, since: expect.any(Number) as number },
      { user: 'ben', name: 'BEN', connections: 1, since: expect.any(Number) as number },
    ]);
  });

  it('are not in the reply for who does not ask, who is there all the same', async () => {
    const ana = await enter('ana', { fresh: true });
    const ben = await server.join('ben');
    expect(await ben.subscribe(room)).not.toHaveProperty('members');
    expect((await ana.next('join')).data.member.user).toBe('ben');
    expect(await members(ben)).toEqual([
      ['ana', 1],
      ['ben', 1],
    ]);
  });

  it('are the same by REST', async () => {
    await enter('ana', { fresh: true });
    const response = await server.api('GET', `/channels/${room}/members`);
    const body = (await response.json()) as { members: { user: string }[] };
    expect(body.members.map(({ user }) => user)).toEqual(['ana']);
  });
});

describe('a join', () => {
  it('is told once for a user with several connections, and not to the one who joins', async () => {
    const ana = await enter('ana', { fresh: true });
    const ben = await enter('ben');
    await enter('ben');
    await enter('ben');
    expect((await ana.next('join')).data).toMatchObject({
      channel: room,
      member: { user: 'ben', name: 'BEN', connections: 1 },
    });
    await ana.expectNone('join');
    await ben.expectNone('join');
    expect(await members(ana)).toEqual([
      ['ana', 1],
      ['ben', 3],
    ]);
  });

  it('is not told to who did not ask for presence', async () => {
    const ana = await enter('ana', { fresh: true, presence: false });
    await enter('ben');
    await ana.expectNone('join');
  });

  it('comes before the first message of who joined', async () => {
    const ana = await enter('ana', { fresh: true });
    const ben = await enter('ben');
    await ben.ok('publish', { channel: room, event: 'message', data: { text: 'hi' } });
    await ana.next('message');
    const events = ana.frames.map(({ event }) => event);
    expect(events.indexOf('join')).toBeLessThan(events.indexOf('message'));
  });
});

describe('a leave', () => {
  it('is told after the grace, once, when the last connection is gone', async () => {
    const ana = await enter('ana', { fresh: true });
    const [first, second] = [await enter('ben'), await enter('ben')];
    first.cut();
    await first.closed;
    const start = performance.now();
    second.cut();
    const { data } = await ana.next('leave', about('ben'));
    expect(performance.now() - start).toBeGreaterThan(LEAVE_GRACE_MS - 50);
    expect(data).toMatchObject({ channel: room, member: { user: 'ben', name: 'BEN' } });
    await ana.expectNone('leave');
    expect(await members(ana)).toEqual([['ana', 1]]);
  });

  it('is told after an unsubscribe as well', async () => {
    const ana = await enter('ana', { fresh: true });
    const ben = await enter('ben');
    await ben.ok('unsubscribe', { channel: room });
    await ana.next('leave', about('ben'));
    await ben.settled();
  });

  it('is not told, nor a second join, when the user is back in time', async () => {
    const ana = await enter('ana', { fresh: true });
    const ben = await enter('ben');
    await ana.next('join');
    ben.cut();
    await ben.closed;
    await enter('ben');
    await until(() => server.core.presence.pending === 0, 'the leave of the old session to be settled');
    await ana.expectNone('leave');
    await ana.expectNone('join');
    expect(await members(ana)).toEqual([
      ['ana', 1],
      ['ben', 1],
    ]);
  });

  it('of many in a storm leaves nobody behind', async () => {
    const ana = await enter('ana', { fresh: true });
    for (let wave = 0; wave < 5; wave++) {
      const crowd = await Promise.all(Array.from({ length: 20 }, (_, i) => enter(`user-${i % 10}`)));
      await Promise.all(
        crowd.map(async (client, i) =>
          i % 2 === 0 ? client.cut() : client.ok('unsubscribe', { channel: room }),
        ),
      );
    }
    await until(async () => (await members(ana)).length === 1, 'everyone to leave');
    expect(server.core.presence.pending).toBe(0);
    const heard = (event: string): number => ana.frames.filter((frame) => frame.event === event).length;
    expect(heard('leave')).toBe(heard('join'));
    expect(heard('join')).toBeGreaterThanOrEqual(10);
  });

  it('that still waits is settled when the server ends', async () => {
    const brief = await startPatched((config) => ({
      ...config,
      core: { ...config.core, leaveGraceMs: 60_000 },
    }));
    const client = await connect(brief.wsUrl, { token: brief.token('ana') });
    await client.subscribe('chat:end');
    client.cut();
    await until(() => brief.core.presence.pending === 1, 'the leave to wait');
    await brief.close();
    expect(brief.core.presence.pending).toBe(0);
  });
});

describe('typing', () => {
  it('reaches the others at once, without what came with it, and is never kept', async () => {
    const ana = await enter('ana', { fresh: true });
    const ben = await enter('ben');
    const { offset } = await ben.ok('publish', { channel: room, event: 'message', data: { text: 'hi' } });
    const reply = await ben.ok('publish', {
      channel: room,
      event: 'typing',
      data: { spam: 'x' },
      echo: false,
    });
    expect(reply.offset).toBe(0);
    const { data } = await ana.next('message', (frame) => frame.data.event === 'typing');
    expect(data).toMatchObject({ data: {}, from: { user: 'ben', name: 'BEN' } });
    expect(data).not.toHaveProperty('offset');
    const history = await ana.ok('history', { channel: room });
    expect(history.messages.map(({ event, offset: at }) => [event, at])).toEqual([['message', offset]]);
    await ben.expectNone('message', (frame) => frame.data.event === 'typing');
  });
});

describe('a chat message', () => {
  it('carries the name of who speaks, whatever the payload says', async () => {
    const ana = await enter('ana', { fresh: true });
    const ben = await enter('ben');
    await ben.ok('publish', { channel: room, event: 'message', data: { text: 'hi', name: 'ANA' } });
    expect((await ana.next('message')).data.data).toEqual({ text: 'hi', name: 'BEN' });
  });

  it.each([
    ['an empty text', { text: '' }],
    ['a blank text', { text: '   ' }],
    ['2,001 characters', { text: 'x'.repeat(2001) }],
    ['no text', {}],
    ['a number', { text: 1 }],
  ])('with %s is refused with what is wrong', async (_what, data) => {
    const ana = await enter('ana', { fresh: true });
    const reply = await ana.request('publish', { channel: room, event: 'message', data });
    expect(reply.data).toMatchObject({ code: 'invalid_data' });
    expect(JSON.stringify(reply.data['details'])).toContain('text');
    await ana.expectNone('message');
  });

  it('of another kind is refused', async () => {
    const ana = await enter('ana', { fresh: true });
    const reply = await ana.request('publish', { channel: room, event: 'shout', data: {} });
    expect(reply.event).toBe('error');
    expect(['forbidden', 'invalid_data', 'unknown_event']).toContain(reply.data.code);
  });
});
