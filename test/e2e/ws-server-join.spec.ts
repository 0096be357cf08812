// Channels a session is in without asking: by its token, by a connect hook, by the application; and out again.

import { Injectable, Module } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Channel, OnConnect, OnSubscribe, TrunklineError, Who, type Identity } from '../../src/index.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { FastPublisher } from '../support/fast-publisher.js';
import { checkStream } from '../support/stream-checker.js';
import { until } from '../support/wait.js';
import { disposeClients } from '../support/ws-client.js';

@Injectable()
class Greeter {
  @OnConnect()
  connect(@Who() who: Identity): readonly string[] | false {
    if (who.user === 'banned') return false;
    if (who.user === 'unlucky') throw new TrunklineError('forbidden', 'Not today.');
    if (who.user === 'broken') throw new Error('The database is away.');
    return who.user === 'greeted' ? ['inbox:greeted', 'inbox:all'] : [];
  }
}

@Channel('guarded:{name}', { history: { size: 10, ttl: '1m' } })
class Guarded {
  @OnSubscribe()
  ask(): boolean {
    return false;
  }
}

@Module({ providers: [Greeter, Guarded] })
class TeamModule {}

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({
    rules: [
      { channel: 'inbox:{name}', subscribe: 'nobody', publish: 'backend', history: { size: 50, ttl: '1m' } },
    ],
    boot: { modules: [TeamModule] },
  });
});
afterEach(disposeClients);
afterAll(() => server.close());

describe('the `join` list of a token', () => {
  it('joins the session right after its welcome, where the rules would not let it', async () => {
    const client = await server.join('ana', { claims: { join: ['inbox:ana', 'inbox:all'] } });
    await client.next('subscribed', ({ data }) => data.channel === 'inbox:all');
    await server.realtime.publish('inbox:ana', 'mail', 'hello');
    expect((await client.next('message')).data).toMatchObject({ channel: 'inbox:ana', data: 'hello' });
    const [welcome, first, second] = client.frames;
    expect([welcome?.event, first?.event, second?.event]).toEqual(['welcome', 'subscribed', 'subscribed']);
    expect(first?.data).toMatchObject({
      channel: 'inbox:ana',
      recoverable: true,
      recovered: false,
      messages: [],
    });
    expect(checkStream(client.frames, 'inbox:ana').seen).toHaveLength(1);
  });

  it('does not stop the session when a channel of it is unknown', async () => {
    const client = await server.join('ana', { claims: { join: ['nowhere:a', 'inbox:ana'] } });
    expect((await client.next('subscribed')).data.channel).toBe('inbox:ana');
  });
});

describe('a connect hook', () => {
  it('joins the session to what it returns', async () => {
    const client = await server.join('greeted');
    await client.next('subscribed', ({ data }) => data.channel === 'inbox:greeted');
    await client.next('subscribed', ({ data }) => data.channel === 'inbox:all');
    expect(server.realtime.sessions('greeted')[0]?.channels).toEqual(['inbox:greeted', 'inbox:all']);
  });

  it.each([
    ['that says false', 'banned', 4003],
    ['that refuses', 'unlucky', 4003],
    ['that fails', 'broken', 1011],
  ])('%s ends the session', async (_what, user, code) => {
    const client = await server.join(user);
    const closed = await client.closed;
    expect(closed.code).toBe(code);
    expect(closed.reason).not.toContain('database');
    await until(() => server.realtime.sessions(user).length === 0, 'the session to end');
  });
});

describe('the application', () => {
  it('joins all sessions of a user, each is told once, and takes them out again', async () => {
    const [first, second, other] = await Promise.all([
      server.join('ana'),
      server.join('ana'),
      server.join('ben'),
    ]);
    await server.realtime.subscribe('ana', 'inbox:ana');
    await Promise.all([first.next('subscribed'), second.next('subscribed')]);
    await server.realtime.subscribe('ana', 'inbox:ana');
    await server.realtime.publish('inbox:ana', 'mail', 1);
    await Promise.all([first.next('message'), second.next('message')]);
    await first.expectNone('subscribed');
    await other.expectNone('message');

    await server.realtime.unsubscribe('ana', 'inbox:ana');
    expect((await first.next('unsubscribed')).data).toMatchObject({
      channel: 'inbox:ana',
      code: 'forbidden',
      message: expect.any(String) as string,
    });
    await server.realtime.publish('inbox:ana', 'mail', 2);
    await first.expectNone('message');
    await second.expectNone('message');
  });

  it('joins a session under a fast publisher without a gap', async () => {
    const client = await server.join('ana');
    const publisher = new FastPublisher(server.realtime, 'inbox:fast');
    for (let cycle = 0; cycle < 50; cycle++) {
      await server.realtime.subscribe('ana', 'inbox:fast');
      const { offset } = (await client.next('subscribed')).data;
      expect((await client.next('message', ({ data }) => data.offset > offset)).data.offset).toBe(offset + 1);
      await server.realtime.unsubscribe('ana', 'inbox:fast');
      await client.next('unsubscribed');
    }
    await publisher.stop();
    expect(checkStream(client.frames, 'inbox:fast').seen.length).toBeGreaterThanOrEqual(50);
  });

  it('joins where the channel class would refuse the client itself', async () => {
    const client = await server.join('ana');
    expect(await client.refusal('subscribe', { channel: 'guarded:a' })).toBe('forbidden');
    await server.realtime.subscribe('ana', 'guarded:a');
    await client.next('subscribed');
    await server.realtime.publish('guarded:a', 'tick', 1);
    await client.next('message');
  });

  it('a client that was joined may leave by itself, and resume as it may', async () => {
    const client = await server.join('ana', { claims: { join: ['inbox:ana'] } });
    await client.next('subscribed');
    await client.ok('unsubscribe', { channel: 'inbox:ana' });
    await server.realtime.publish('inbox:ana', 'mail', 1);
    await client.expectNone('message');
    expect(await client.refusal('subscribe', { channel: 'inbox:ana' })).toBe('forbidden');
  });
});
