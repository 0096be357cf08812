// The notifications domain on a real server, by WebSocket and by SSE: who hears them, who may speak, what a notification must be.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NotificationsService } from '../../src/domains/notifications/notifications.service.js';
import { isLink } from '../../src/domains/notifications/notification.dto.js';
import { segmentOf } from '../../src/domains/notifications/segment.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { disposeStreams, openSse, sseRefused } from '../support/sse-client.js';
import { disposeClients, type WsClient } from '../support/ws-client.js';

let server: E2eServer;
let notifications: NotificationsService;
let count = 0;
beforeAll(async () => {
  server = await startE2e();
  notifications = server.app.get(NotificationsService, { strict: false });
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(() => server.close());

/** A user of this test alone, so that no history of another is in the way. */
const somebody = (): string => `ana-${++count}`;

async function listen(user: string): Promise<WsClient> {
  const client = await server.join(user);
  const { event } = await client.request('subscribe', { channel: `notifications:${user}` });
  expect(event).toBe('ok');
  return client;
}

/** As another program of the backend does it. */
async function post(user: string, data: unknown, event = 'notification') {
  const response = await server.api('POST', `/channels/notifications:${user}/messages`, { event, data });
  const { code, details } = (await response.json()) as { code?: string; details?: { path: string }[] };
  return { status: response.status, code, paths: details?.map(({ path }) => path) };
}

describe('a notification', () => {
  it('reaches every page of its user, and nobody else', async () => {
    const [user, other] = [somebody(), somebody()];
    const [page, phone, stranger] = [await listen(user), await listen(user), await listen(other)];
    const told = { title: 'Your order is on its way', body: 'It arrives on Friday.', url: '/orders/17' };
    const { offset } = await notifications.notify(user, told);
    for (const client of [page, phone]) {
      const { data } = await client.next('message');
      expect(data).toMatchObject({
        channel: `notifications:${user}`,
        event: 'notification',
        data: told,
        offset,
      });
      expect(data.from).toBeUndefined();
    }
    await notifications.notify(other, { title: 'Another' });
    expect((await stranger.next('message')).data.data).toEqual({ title: 'Another' });
  });

  it('waits in the history for who is away, the last hundred of them', async () => {
    const user = somebody();
    for (let n = 1; n <= 103; n++) await notifications.notify(user, { title: `Number ${n}` });
    const client = await listen(user);
    const { data } = await client.request('history', { channel: `notifications:${user}`, limit: 300 });
    expect(data.messages.map((message) => message.data)).toEqual(
      Array.from({ length: 100 }, (_, index) => ({ title: `Number ${index + 4}` })),
    );
  });

  it('reaches who was away for a while by resume', async () => {
    const user = somebody();
    const channel = `notifications:${user}`;
    const first = await server.join(user);
    const { epoch, offset, id } = (await first.request('subscribe', { channel })).data;
    first.cut();
    await notifications.notify(user, { title: 'Missed' });
    const second = await server.join(user);
    const { data } = await second.request('subscribe', { channel, since: { epoch, offset, id } });
    expect([data['recovered'], data.messages.map((message) => message.data)]).toEqual([
      true,
      [{ title: 'Missed' }],
    ]);
  });

  it('is told once for the same reason', async () => {
    const user = somebody();
    const first = await notifications.notify(user, { title: 'Shipped' }, { once: 'order-17-shipped' });
    const second = await notifications.notify(user, { title: 'Shipped' }, { once: 'order-17-shipped' });
    expect([first.duplicate, second.duplicate, second.offset]).toEqual([false, true, first.offset]);
  });

  it.each(['urn:people:5', 'ana maria', 'ana*', '100%', '{ana}'])(
    'reaches a user whose id is no part of a channel name: %s',
    async (user) => {
      const client = await server.join(user);
      const channel = `notifications:${segmentOf(user)}`;
      expect((await client.request('subscribe', { channel })).event).toBe('ok');
      await notifications.notify(user, { title: user });
      expect((await client.next('message')).data.data).toEqual({ title: user });
    },
  );
});

describe('a notification by SSE', () => {
  const open = (user: string, lastEventId?: string) =>
    openSse(server.url, [`notifications:${user}`], { token: server.token(user), lastEventId });

  it('reaches every stream of its user, and a socket beside them', async () => {
    const user = somebody();
    const [page, phone, socket] = [await open(user), await open(user), await listen(user)];
    await notifications.notify(user, { title: 'Hello', url: 'https://example.org/' });
    for (const stream of [page, phone]) {
      const { data } = await stream.next('message');
      expect([data.channel, data.event, data.data]).toEqual([
        `notifications:${user}`,
        'notification',
        { title: 'Hello', url: 'https://example.org/' },
      ]);
    }
    expect((await socket.next('message')).data.data).toEqual({ title: 'Hello', url: 'https://example.org/' });
  });

  it('begins with what comes from now on, and gives who comes back what was missed', async () => {
    const user = somebody();
    await notifications.notify(user, { title: 'Before' });
    const first = await open(user);
    await notifications.notify(user, { title: 'One' });
    expect((await first.next('message')).data.data).toEqual({ title: 'One' });
    first.destroy();
    await notifications.notify(user, { title: 'Two' });
    await notifications.notify(user, { title: 'Three' });
    const second = await open(user, first.lastEventId);
    expect((await second.ready()).channels).toMatchObject([{ recovered: true, replayed: 2 }]);
    for (const title of ['Two', 'Three']) expect((await second.next('message')).data.data).toEqual({ title });
  });

  it('works with the cookie of a page', async () => {
    const user = somebody();
    const headers = { cookie: `trunkline_token=${server.token(user)}` };
    const stream = await openSse(server.url, [`notifications:${user}`], { headers });
    await notifications.notify(user, { title: 'Hello' });
    expect((await stream.next('message')).data.data).toEqual({ title: 'Hello' });
  });

  it('is for nobody else', async () => {
    const user = somebody();
    const channels = [`notifications:${user}`];
    const other = await sseRefused(server.url, channels, { token: server.token(somebody()) });
    expect([other.status, other.problem['code']]).toEqual([403, 'forbidden']);
    const stranger = await sseRefused(server.url, channels);
    expect([stranger.status, stranger.problem['code']]).toEqual([401, 'unauthenticated']);
  });
});

describe('nobody but the user', () => {
  it('may listen, read or look', async () => {
    const user = somebody();
    await notifications.notify(user, { title: 'Private' });
    const other = await server.join(somebody());
    const stranger = await server.join(undefined);
    for (const event of ['subscribe', 'history', 'presence']) {
      const channel = `notifications:${user}`;
      const refused = await other.request(event, { channel });
      expect([event, refused.data.code]).toEqual([event, 'forbidden']);
      const unknown = await stranger.request(event, { channel });
      expect([event, unknown.data.code]).toEqual([event, 'unauthenticated']);
    }
  });

  it('is meant by an id that only looks alike', async () => {
    const client = await server.join('a:b');
    for (const rest of ['a', 'b', 'a%3ab', 'A%3AB', 'a%253Ab']) {
      const { data } = await client.request('subscribe', { channel: `notifications:${rest}` });
      expect([rest, data.code]).toEqual([rest, 'forbidden']);
    }
    expect((await client.request('subscribe', { channel: 'notifications:a:b' })).data.code).toBe(
      'unknown_channel',
    );
    const twin = await server.join('a%3Ab');
    expect(await twin.refusal('subscribe', { channel: `notifications:${segmentOf('a:b')}` })).toBe(
      'forbidden',
    );
  });

  it('may be spoken to by users, not even by the user', async () => {
    const user = somebody();
    const client = await listen(user);
    const request = { channel: `notifications:${user}`, event: 'notification', data: { title: 'x' } };
    expect((await client.request('publish', request)).data.code).toBe('forbidden');
    const stranger = await server.join(undefined);
    expect((await stranger.request('publish', request)).data.code).toBe('unauthenticated');
    expect((await client.request('history', { channel: request.channel })).data.messages).toEqual([]);
  });
});

describe('what a notification must be', () => {
  it.each([
    ['no title', {}, ['title']],
    ['an empty title', { title: '' }, ['title']],
    ['a blank title', { title: ' \n ' }, ['title']],
    ['a title of 201 characters', { title: 'x'.repeat(201) }, ['title']],
    ['a number for a title', { title: 5 }, ['title']],
    ['a body of 2001 characters', { title: 'x', body: 'x'.repeat(2001) }, ['body']],
    ['null for a body', { title: 'x', body: null }, ['body']],
    ['null for an address', { title: 'x', url: null }, ['url']],
    ['a script for an address', { title: 'x', url: 'javascript:alert(1)' }, ['url']],
    ['an address of 2001 characters', { title: 'x', url: `/${'x'.repeat(2000)}` }, ['url']],
    ['a list', ['x'], ['']],
    ['null', null, ['']],
  ])('refuses %s, and says where', async (_what, data, paths) => {
    const user = somebody();
    const answer = await post(user, data);
    expect([answer.status, answer.code]).toEqual([400, 'invalid_data']);
    expect([...new Set(answer.paths)]).toEqual(paths);
    await expect(notifications.notify(user, data as { title: string })).rejects.toMatchObject({
      code: 'invalid_data',
    });
    expect((await server.realtime.history(`notifications:${user}`)).messages).toEqual([]);
  });

  it('takes the longest that is allowed, and drops what it does not know', async () => {
    const user = somebody();
    const client = await listen(user);
    const most = { title: '漢'.repeat(200), body: 'ж'.repeat(2000), url: `/${'x'.repeat(1999)}` };
    expect(await post(user, { ...most, html: '<b>x</b>', user: 'mallory' })).toMatchObject({ status: 201 });
    expect((await client.next('message')).data.data).toEqual(most);
  });

  it('knows no other event', async () => {
    expect(await post(somebody(), { title: 'x' }, 'alarm')).toMatchObject({ code: 'unknown_event' });
  });

  it.each(['https://example.org/a?b#c', 'HTTP://EXAMPLE.ORG', '/', '/orders/17?tab=2#top', '/a//b', '/ж'])(
    'takes the link %j',
    (link) => expect(isLink(link)).toBe(true),
  );

  it.each([
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'ftp://example.org/',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    '\\\\evil.example',
    'orders/17',
    'https:evil',
    'https://',
    'http://[',
    '',
    5,
    undefined,
    ['/x'],
  ])('refuses the link %j', (link) => expect(isLink(link)).toBe(false));
});
