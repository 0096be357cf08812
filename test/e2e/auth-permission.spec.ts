// Nothing is delivered without permission, and nothing of a channel follows the reply that ended it.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { FastPublisher } from '../support/fast-publisher.js';
import { disposeClients, type WsClient } from '../support/ws-client.js';

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({
    rules: [
      {
        channel: 'team:{name}',
        subscribe: 'capability',
        publish: 'capability',
        history: { size: 10, ttl: '1m' },
      },
      { channel: 'read:{name}', subscribe: 'authenticated', publish: 'backend', historyAccess: 'backend' },
      { channel: 'closed:{name}', subscribe: 'nobody', publish: 'authenticated', presence: true },
    ],
  });
});
afterEach(disposeClients);
afterAll(() => server.close());

const withRights = (channels: object): Promise<WsClient> => server.join('ana', { claims: { channels } });
const PUBLISH = { event: 'tick', data: 1 };

describe('a capability', () => {
  it('gives exactly what it names, on exactly what it matches', async () => {
    const client = await withRights({ 'team:red': ['subscribe'], 'team:blue': ['publish', 'history'] });
    await client.subscribe('team:red');
    expect(await client.refusal('publish', { channel: 'team:red', ...PUBLISH })).toBe('forbidden');
    expect(await client.refusal('history', { channel: 'team:red' })).toBe('forbidden');
    await client.ok('history', { channel: 'team:blue' });
    await client.ok('publish', { channel: 'team:blue', ...PUBLISH });
    expect(await client.refusal('subscribe', { channel: 'team:blue' })).toBe('forbidden');
    expect(await client.refusal('subscribe', { channel: 'team:green' })).toBe('forbidden');
  });

  it('ends with the token that gave it: the next act asks the new one', async () => {
    const client = await withRights({ 'team:*': ['publish'] });
    await client.ok('publish', { channel: 'team:red', ...PUBLISH });
    await client.ok('authenticate', { token: server.token('ana') });
    expect(await client.refusal('publish', { channel: 'team:red', ...PUBLISH })).toBe('forbidden');
  });
});

describe('a subscription whose capability is not in the new token', () => {
  it('ends when the session authenticates again, and the others stay', async () => {
    const client = await withRights({ 'team:red': ['subscribe'], 'team:blue': ['subscribe'] });
    await client.subscribe('team:red');
    await client.subscribe('team:blue');
    const token = server.token('ana', { channels: { 'team:blue': ['subscribe'] } });
    await client.ok('authenticate', { token });
    await server.realtime.publish('team:red', 'tick', 'secret');
    await server.realtime.publish('team:blue', 'tick', 'fine');
    expect((await client.next('message')).data.data).toBe('fine');
    const { data } = await client.next('unsubscribed');
    expect([data.channel, data.code]).toEqual(['team:red', 'forbidden']);
  });
});

describe('a client that was refused', () => {
  it('hears nothing of the channel', async () => {
    const [client, allowed] = await Promise.all([
      server.join('ana'),
      withRights({ 'team:red': ['subscribe'] }),
    ]);
    await allowed.subscribe('team:red');
    expect(await client.refusal('subscribe', { channel: 'team:red' })).toBe('forbidden');
    for (let n = 0; n < 20; n++) await server.realtime.publish('team:red', 'tick', n);
    await allowed.next('message', ({ data }) => data.data === 19);
    await client.expectNone('message');
  });

  it.each([
    ['read the history', 'history', { channel: 'read:a' }, 'forbidden'],
    ['publish', 'publish', { channel: 'read:a', ...PUBLISH }, 'forbidden'],
    ['see who is there', 'presence', { channel: 'closed:a' }, 'forbidden'],
    ['subscribe where nobody may', 'subscribe', { channel: 'closed:a' }, 'forbidden'],
    ['subscribe where no rule is', 'subscribe', { channel: 'unknown:a' }, 'unknown_channel'],
    ['publish where no rule is', 'publish', { channel: 'unknown:a', ...PUBLISH }, 'unknown_channel'],
  ])('may not %s', async (_what, event, data, code) => {
    const client = await server.join('ana');
    expect(await client.refusal(event, data)).toBe(code);
  });
});

describe('after an unsubscribe reply', () => {
  it('nothing of the channel follows, under a fast publisher', async () => {
    const client = await withRights({ 'team:*': ['subscribe'] });
    const publisher = new FastPublisher(server.realtime, 'team:fast');
    for (let cycle = 0; cycle < 100; cycle++) {
      await client.subscribe('team:fast');
      await client.next('message');
      await client.ok('unsubscribe', { channel: 'team:fast' });
      client.forget();
      await client.expectNone('message');
    }
    await publisher.stop();
  });

  it('nothing follows an `unsubscribed` by the server either', async () => {
    const client = await withRights({ 'team:*': ['subscribe'] });
    await client.subscribe('team:drop');
    await server.realtime.unsubscribe('ana', 'team:drop');
    const { data } = await client.next('unsubscribed');
    expect([data.channel, data.code]).toEqual(['team:drop', 'forbidden']);
    for (let n = 0; n < 20; n++) await server.realtime.publish('team:drop', 'tick', n);
    await client.expectNone('message');
    expect(await client.refusal('unsubscribe', { channel: 'team:drop' })).toBe('not_subscribed');
  });
});
