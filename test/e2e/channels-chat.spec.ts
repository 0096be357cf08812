// The chat domain on a real server, as clients see it: what may be said, what is kept, who is there.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openSession, startSuiteServer, type RawSocket, type SuiteServer } from '../support/raw-socket.js';

let server: SuiteServer;
let room = 0;
let channel = '';
beforeAll(async () => {
  server = await startSuiteServer();
});
afterEach(async () => server.settle());
afterAll(async () => server.finish());

async function enter(user: string, name?: string): Promise<RawSocket> {
  const socket = await openSession(server.port, {
    token: server.token(user, name === undefined ? {} : { name }),
  });
  const joined = await socket.request('subscribe', { channel, presence: true });
  expect(joined.event).toBe('ok');
  return socket;
}

const say = (socket: RawSocket, event: string, data: unknown) =>
  socket.request('publish', { channel, event, data });

describe('a chat room', () => {
  it('gives a message to all, with the name of its sender, and keeps it', async () => {
    channel = `chat:room-${++room}`;
    const ana = await enter('ana', 'Ana');
    const ben = await enter('ben');
    const said = await say(ana, 'message', { text: ' hello ', name: 'Mallory', admin: true });
    expect(said.event).toBe('ok');
    expect(said.data['offset']).toBe(1);
    for (const socket of [ana, ben]) {
      const { data } = await socket.push('message');
      expect(data).toMatchObject({
        channel,
        event: 'message',
        data: { text: ' hello ', name: 'Ana' },
        offset: 1,
      });
      expect(data['data']).toEqual({ text: ' hello ', name: 'Ana' });
    }
    await say(ben, 'message', { text: 'hi' });
    expect((await ana.push('message')).data['data']).toEqual({ text: 'hi', name: 'ben' });
    const { data } = await ana.request('history', { channel });
    expect((data['messages'] as { data: unknown }[]).map((message) => message.data)).toEqual([
      { text: ' hello ', name: 'Ana' },
      { text: 'hi', name: 'ben' },
    ]);
  });

  it('tells who types, without what came with it, and keeps none of it', async () => {
    channel = `chat:room-${++room}`;
    const ana = await enter('ana');
    const ben = await enter('ben');
    expect((await say(ana, 'typing', { text: 'half a sentence' })).data['offset']).toBe(0);
    const { data } = await ben.push('message');
    expect([data['event'], data['data'], data['from']]).toEqual(['typing', {}, { user: 'ana' }]);
    expect((await ben.request('history', { channel })).data['messages']).toEqual([]);
  });

  it('shows who is there', async () => {
    channel = `chat:room-${++room}`;
    const ana = await enter('ana', 'Ana');
    await enter('ben');
    expect((await ana.push('join')).data['member']).toMatchObject({ user: 'ben', connections: 1 });
    const { data } = await ana.request('presence', { channel });
    expect((data['members'] as { user: string }[]).map(({ user }) => user).sort()).toEqual(['ana', 'ben']);
  });

  it.each([
    ['no text', {}],
    ['an empty text', { text: '' }],
    ['a blank text', { text: ' \n\t ' }],
    ['a text of 2001 characters', { text: 'x'.repeat(2001) }],
    ['a number', { text: 5 }],
    ['a list', ['x']],
    ['null', null],
  ])('refuses a message with %s, and says where', async (_what, data) => {
    channel = `chat:room-${++room}`;
    const ana = await enter('ana');
    const refused = await say(ana, 'message', data);
    expect([refused.event, refused.data['code']]).toEqual(['error', 'invalid_data']);
    const [detail] = refused.data['details'] as { path: string; message: string }[];
    expect(detail?.path).toBe(data !== null && !Array.isArray(data) ? 'text' : '');
    expect((await ana.request('history', { channel })).data['messages']).toEqual([]);
  });

  it('takes a message of 2000 characters of any script', async () => {
    channel = `chat:room-${++room}`;
    const ana = await enter('ana');
    for (const letter of ['x', 'ж', '漢', '🙂']) {
      expect((await say(ana, 'message', { text: letter.repeat(2000) })).event, letter).toBe('ok');
    }
  });

  it('takes no other event, and nobody without a login', async () => {
    channel = `chat:room-${++room}`;
    const ana = await enter('ana');
    expect((await say(ana, 'shout', { text: 'x' })).data['code']).toBe('unknown_event');
    const stranger = await openSession(server.port);
    for (const event of ['subscribe', 'publish', 'history', 'presence']) {
      const reply = await stranger.request(event, { channel, event: 'message', data: { text: 'x' } });
      expect([event, reply.data['code']]).toEqual([event, 'unauthenticated']);
    }
  });
});
