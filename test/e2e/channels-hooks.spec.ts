// Handlers and connect hooks of a team on a real server, by every way in: sockets, REST and the application itself.

import { Injectable, Module } from '@nestjs/common';
import { IsString } from 'class-validator';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  Channel,
  ChannelName,
  ChannelParam,
  OnConnect,
  OnPublish,
  OnUnsubscribe,
  Payload,
  SessionId,
  TrunklineError,
  Who,
  type Identity,
} from '../../src/index.js';
import { openSession, RawSocket, type SessionOptions } from '../support/raw-socket.js';
import { startServer, TEST_API_KEY, type TestServer } from '../support/server.js';

class LineDto {
  @IsString()
  readonly text!: string;
}

@Channel('desk:{id}', { history: { size: 10, ttl: '1m' } })
class Desk {
  readonly left: string[] = [];

  @OnPublish('line')
  line(@Payload() { text }: LineDto, @Who() who: Identity, @SessionId() session?: string): object {
    if (text === 'boom') throw new Error('the password of the database');
    return { text, by: who.user ?? who.kind, live: session !== undefined };
  }

  @OnUnsubscribe()
  leave(@Who() who: Identity, @ChannelName() channel: string): void {
    this.left.push(`${who.user} ${channel}`);
  }
}

@Channel('inbox:{user}', { subscribe: 'nobody', publish: 'backend' })
class Inbox {
  @OnPublish()
  any(@ChannelParam('user') user: string): object {
    return { for: user };
  }
}

@Injectable()
class Door {
  @OnConnect()
  welcome(@Who() { user }: Identity): readonly string[] {
    if (user === 'mallory') throw new TrunklineError('forbidden', 'You are not welcome.');
    if (user === 'bug') throw new Error('the password of the database');
    return user === undefined ? [] : [`inbox:${user}`];
  }
}

@Module({ providers: [Desk, Inbox, Door] })
class DeskModule {}

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ TRUNKLINE_MESSAGE_RATE: '0' }, { modules: [DeskModule] });
});
afterAll(async () => server.close());

async function login(user: string, options: SessionOptions = {}): Promise<RawSocket> {
  const socket = await openSession(server.port, { token: server.token(user), ...options });
  onTestFinished(() => socket.dispose());
  return socket;
}

async function post(channel: string, body: object, credential: string): Promise<Response> {
  return fetch(`${server.url}/api/channels/${channel}/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

describe('a publish handler', () => {
  it('answers alike for a socket, for REST and for the application', async () => {
    const ana = await login('ana');
    await ana.request('subscribe', { channel: 'desk:1' });
    const line = { event: 'line', data: { text: 'x', spy: 1 } };
    expect((await ana.request('publish', { channel: 'desk:1', ...line })).event).toBe('ok');
    expect((await post('desk:1', line, server.token('ben'))).status).toBe(201);
    expect((await post('desk:1', line, TEST_API_KEY)).status).toBe(201);
    await server.realtime.publish('desk:1', 'line', { text: 'x' });
    const seen: unknown[] = [];
    for (let i = 0; i < 4; i++) seen.push((await ana.push('message')).data['data']);
    expect(seen).toEqual([
      { text: 'x', by: 'ana', live: true },
      { text: 'x', by: 'ben', live: false },
      { text: 'x', by: 'backend', live: false },
      { text: 'x', by: 'backend', live: false },
    ]);
  });

  it('refuses alike, with details', async () => {
    const bad = { event: 'line', data: { text: 1 } };
    const details = [{ path: 'text', message: 'must be a string' }];
    const ana = await login('ana');
    const refused = await ana.request('publish', { channel: 'desk:2', ...bad });
    expect(refused.data).toMatchObject({ code: 'invalid_data', details, retry: false });
    const reply = await post('desk:2', bad, TEST_API_KEY);
    expect(reply.status).toBe(400);
    expect(await reply.json()).toMatchObject({ code: 'invalid_data', details });
    await expect(server.realtime.publish('desk:2', 'line', { text: 1 })).rejects.toMatchObject({
      code: 'invalid_data',
      details,
    });
  });

  it('that fails tells nothing of the cause, and the session goes on', async () => {
    const ana = await login('ana');
    const failed = await ana.request('publish', { channel: 'desk:3', event: 'line', data: { text: 'boom' } });
    expect(failed.data['code']).toBe('internal');
    expect(failed.text).not.toContain('password');
    expect((await ana.request('history', { channel: 'desk:3' })).data['messages']).toEqual([]);
  });
});

describe('an unsubscribe handler', () => {
  it('is told who left which channel', async () => {
    const ana = await login('ana');
    await ana.request('subscribe', { channel: 'desk:4' });
    expect((await ana.request('unsubscribe', { channel: 'desk:4' })).event).toBe('ok');
    expect(server.app.get(Desk).left).toContain('ana desk:4');
  });
});

describe('a connect hook', () => {
  it('joins a new session to its channels, even to those nobody may ask for', async () => {
    const ana = await login('ana');
    expect((await ana.push('subscribed')).data).toMatchObject({ channel: 'inbox:ana' });
    expect((await ana.request('subscribe', { channel: 'inbox:ben' })).data['code']).toBe('forbidden');
    await server.realtime.publish('inbox:ana', 'letter', {});
    expect((await ana.push('message')).data).toMatchObject({ event: 'letter', data: { for: 'ana' } });
  });

  it('ends a session that it refuses, and says why', async () => {
    const mallory = await login('mallory');
    expect(await mallory.waitForClose()).toMatchObject({ code: 4003, reason: 'You are not welcome.' });
  });

  it('ends a session when it fails, and does not say why', async () => {
    const socket = await login('bug');
    const closed = await socket.waitForClose();
    expect(closed).toMatchObject({ code: 1011 });
    expect(JSON.stringify(closed)).not.toContain('password');
  });
});
