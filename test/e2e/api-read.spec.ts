// Reading over REST: history by position, members, occupied channels, sessions, figures; and closing the sessions of a user.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../support/api-client.js';
import { listen, type Listener } from '../support/api-listener.js';
import { startApi, type ApiServer } from '../support/api-server.js';
import { until } from '../support/wait.js';

interface History {
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  readonly messages: readonly { readonly offset: number; readonly id: string }[];
}

let api: ApiServer;
const listeners: Listener[] = [];

beforeAll(async () => {
  api = await startApi();
});

afterAll(async () => {
  for (const listener of listeners) listener.close();
  await api.close();
});

async function join(user: string, channel: string): Promise<Listener> {
  const { server } = api;
  const listener = await listen(server.wsUrl, server.token(user, { name: user.toUpperCase() }), channel);
  listeners.push(listener);
  return listener;
}

const statuses = async (path: string): Promise<number[]> => {
  const callers = [api.stranger, api.user('ana'), api.backend];
  return Promise.all(callers.map(async (caller) => (await caller.get(path)).status));
};
const details = (answer: Answer): unknown => answer.json()['details'];

describe('history', () => {
  const path = (query: string, channel = 'room:book'): string => `/api/channels/${channel}/messages${query}`;
  const offsets = ({ messages }: History): number[] => messages.map(({ offset }) => offset);
  const read = async (query: string): Promise<History> =>
    (await api.backend.get(path(query))).json<History>();

  beforeAll(async () => {
    const messages = Array.from({ length: 350 }, (_, i) => ({
      channel: 'room:book',
      event: 'note',
      data: i + 1,
    }));
    for (let at = 0; at < messages.length; at += 100) {
      await api.backend.post('/api/batch', { messages: messages.slice(at, at + 100) });
    }
  });

  it('gives the oldest 300 first, and the newest position', async () => {
    const history = await read('');
    expect(offsets(history)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    expect(history.offset).toBe(350);
  });

  it('goes on after a position, to the end', async () => {
    const { epoch, messages } = await read('?limit=300');
    const last = messages.at(-1);
    const rest = await read(`?since=${epoch}.${last?.offset}.${last?.id}`);
    expect(offsets(rest)).toEqual(Array.from({ length: 50 }, (_, i) => i + 301));
    expect(offsets(await read(`?since=${rest.epoch}.${rest.offset}.${rest.id}`))).toEqual([]);
  });

  it('takes a position without its id', async () => {
    const { epoch } = await read('?limit=1');
    expect(offsets(await read(`?since=${epoch}.347.`))).toEqual([348, 349, 350]);
    expect(offsets(await read(`?since=${epoch}.347`))).toEqual([348, 349, 350]);
  });

  it('gives the newest first when asked', async () => {
    expect(offsets(await read('?reverse=true&limit=3'))).toEqual([350, 349, 348]);
    expect(offsets(await read('?reverse=false&limit=3'))).toEqual([1, 2, 3]);
  });

  it('is empty for a channel that nobody wrote to, and for one that keeps nothing', async () => {
    const fresh = (await api.backend.get(path('', 'room:fresh'))).json<History>();
    expect([fresh.offset, fresh.id, fresh.messages]).toEqual([0, '', []]);
    const ticks = (await api.backend.get(path('', 'ticks:a'))).json<History>();
    expect([ticks.offset, ticks.id, ticks.messages]).toEqual([0, '', []]);
  });

  it.each([
    ['since', 'abc'],
    ['since', 'epoch.-1.x'],
    ['since', 'epoch.1.5.x'],
    ['since', 'epoch.9007199254740993.x'],
    ['since', 'epoch.1.x.y'],
    ['since', ''],
    ['limit', '0'],
    ['limit', '301'],
    ['limit', '-1'],
    ['limit', '1.5'],
    ['limit', '1e2'],
    ['limit', 'many'],
    ['limit', ''],
    ['reverse', 'yes'],
    ['reverse', ''],
  ])('refuses %s=%s', async (name, value) => {
    const answer = await api.backend.get(path(`?${name}=${value}`));
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'invalid_data', details: [{ path: name }] });
  });

  it('refuses a parameter that stands twice, and tells every fault', async () => {
    expect(details(await api.backend.get(path('?limit=1&limit=2')))).toMatchObject([{ path: 'limit' }]);
    expect(details(await api.backend.get(path('?limit=x&reverse=x')))).toMatchObject([
      { path: 'limit' },
      { path: 'reverse' },
    ]);
  });

  it('ignores parameters it does not know', async () => {
    expect(
      (await api.backend.get(path('?limit=1&__proto__=x&constructor[prototype]=y&colour=red'))).status,
    ).toBe(200);
  });

  it.each([
    ['open:a', 200, 200, 200],
    ['room:a', 401, 200, 200],
    ['granted:a', 401, 403, 200],
    ['nowhere:a', 404, 404, 404],
  ])('follows the rules of %s', async (channel, ...expected) => {
    expect(await statuses(path('', channel))).toEqual(expected);
  });

  it('lets a token with the capability in', async () => {
    const ana = api.user('ana', { channels: { 'granted:*': ['history'] } });
    expect((await ana.get(path('', 'granted:b'))).status).toBe(200);
    expect((await ana.get('/api/channels/granted:b/members')).status).toBe(403);
  });
});

describe('members', () => {
  it('are the users who are there, each once', async () => {
    await join('ana', 'room:hall');
    await join('ana', 'room:hall');
    await join('ben', 'room:hall');
    const answer = await api.user('cleo').get('/api/channels/room%3Ahall/members');
    expect(answer.status).toBe(200);
    const { channel, members } = answer.json<{ channel: string; members: { user: string }[] }>();
    expect(channel).toBe('room:hall');
    expect(members.toSorted((a, b) => a.user.localeCompare(b.user))).toEqual([
      { user: 'ana', name: 'ANA', connections: 2, since: expect.any(Number) as number },
      { user: 'ben', name: 'BEN', connections: 1, since: expect.any(Number) as number },
    ]);
  });

  it.each([
    ['open:a', 200, 200, 200],
    ['room:a', 401, 200, 200],
    ['granted:a', 401, 403, 200],
    ['news:a', 401, 403, 403],
    ['nowhere:a', 404, 404, 404],
  ])('follow the rules of %s', async (channel, ...expected) => {
    expect(await statuses(`/api/channels/${channel}/members`)).toEqual(expected);
  });

  it('are asked for by a valid name', async () => {
    const answer = await api.backend.get('/api/channels/room:%20/members');
    expect([answer.status, answer.json()['code']]).toEqual([400, 'invalid_data']);
  });
});

describe('channels, sessions and figures', () => {
  it('list the occupied channels with how many listen', async () => {
    await join('dora', 'room:desk');
    await join('emil', 'room:desk');
    const { channels } = (await api.backend.get('/api/channels')).json<{ channels: unknown[] }>();
    expect(channels).toContainEqual({ channel: 'room:desk', subscribers: 2 });
  });

  it('list the sessions of a user, or of all', async () => {
    const { session } = await join('fred', 'room:desk');
    const view = {
      id: session,
      user: 'fred',
      transport: 'ws',
      channels: ['room:desk'],
      since: expect.any(Number) as number,
    };
    const { sessions } = (await api.backend.get('/api/sessions?user=fred')).json<{ sessions: unknown[] }>();
    expect(sessions).toEqual([view]);
    const all = (await api.backend.get('/api/sessions')).json<{ sessions: unknown[] }>();
    expect(all.sessions).toContainEqual(view);
    expect(all.sessions.length).toBeGreaterThan(1);
    expect((await api.backend.get('/api/sessions?user=__proto__')).json()).toEqual({ sessions: [] });
  });

  it('let users see their own sessions only', async () => {
    const ana = api.user('ana');
    const own = await ana.get('/api/sessions?user=ana');
    expect(own.status).toBe(200);
    for (const { user } of own.json<{ sessions: { user: string }[] }>().sessions) expect(user).toBe('ana');
    for (const query of ['?user=ben', '?user=Ana', '']) {
      const answer = await ana.get(`/api/sessions${query}`);
      expect([answer.status, answer.json()['code']], query).toEqual([403, 'forbidden']);
    }
    expect((await api.stranger.get('/api/sessions?user=ana')).status).toBe(401);
  });

  it.each(['', '%00', 'a"b', 'x'.repeat(129), 'a&user=b'])(
    'refuse a user id that is none: %s',
    async (user) => {
      expect((await api.backend.get(`/api/sessions?user=${user}`)).status).toBe(400);
    },
  );

  it('count what the instance did', async () => {
    const before = (await api.backend.get('/api/stats')).json<Record<string, number>>();
    await api.backend.post('/api/channels/room:count/messages', { event: 'note', data: 1 });
    const after = (await api.backend.get('/api/stats')).json<Record<string, number>>();
    expect(after['published']).toBe((before['published'] ?? 0) + 1);
    expect(after['sessions']).toBe(api.server.stats().sessions);
  });

  it.each(['/api/channels', '/api/stats'])('are for backends: %s', async (path) => {
    expect(await statuses(path)).toEqual([401, 403, 200]);
  });
});

describe('closing the sessions of a user', () => {
  it('ends them with 4003 and leaves others alone', async () => {
    const first = await join('gina', 'room:door');
    const second = await join('gina', 'room:door');
    const other = await join('hugo', 'room:door');
    const answer = await api.backend.delete('/api/users/gina/sessions');
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect([(await first.closed).code, (await second.closed).code]).toEqual([4003, 4003]);
    await until(() => api.server.core.hub.countOfUser('gina') === 0);
    await api.backend.post('/api/channels/room:door/messages', { event: 'note', data: 'still here' });
    expect(await other.next()).toContain('still here');
  });

  it('finds users by their decoded id, and is content when nobody is there', async () => {
    const odd = await join('iris/ö', 'room:door');
    expect((await api.backend.delete(`/api/users/${encodeURIComponent('iris/ö')}/sessions`)).status).toBe(
      204,
    );
    expect((await odd.closed).code).toBe(4003);
    expect((await api.backend.delete('/api/users/__proto__/sessions')).status).toBe(204);
    expect((await api.backend.delete('/api/users/a%22b/sessions')).status).toBe(400);
  });

  it('is for backends', async () => {
    expect((await api.stranger.delete('/api/users/ana/sessions')).status).toBe(401);
    expect((await api.user('ana').delete('/api/users/ana/sessions')).status).toBe(403);
  });
});
