// What is refused when it is asked for plainly is not given by a way round: members by subscribing, history by resuming, the messages of
// others by their idempotency keys, an identity to somebody who has gone.

import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { FakeIdentityProvider } from '../support/fake-identity-provider.js';
import { poll } from '../support/poll-client.js';
import { disposeStreams, openSse } from '../support/sse-client.js';
import { issuerKey } from '../support/token-keys.js';
import { until } from '../support/wait.js';
import { connect, disposeClients, type WsClient } from '../support/ws-client.js';

const KEPT = { history: { size: 50, ttl: '1h' }, presence: true };
const RULES = [
  { channel: 'cap:{name}', subscribe: 'capability', publish: 'capability', ...KEPT },
  { channel: 'past:{name}', publish: 'backend', historyAccess: 'nobody', ...KEPT },
  { channel: 'last:{name}', publish: 'backend', historyAccess: 'nobody', replayLast: true, ...KEPT },
  { channel: 'room:{name}', publish: 'anyone', ...KEPT },
];

let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({ rules: RULES });
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(() => server.close());

const READ = { claims: { channels: { 'cap:*': ['subscribe'] } } };
const SEE = { claims: { channels: { 'cap:*': ['subscribe', 'presence'] } } };

describe('who is present', () => {
  it('is not told with a subscription to who may not ask for it', async () => {
    await (await server.join('ben', READ)).subscribe('cap:a');
    const ana = await server.join('ana', READ);
    expect(await ana.refusal('presence', { channel: 'cap:a' })).toBe('forbidden');
    expect(await ana.subscribe('cap:a', { presence: true })).not.toHaveProperty('members');
    const stream = await openSse(server.url, ['cap:a'], {
      token: server.token('ana', READ.claims),
      query: [['presence', 'true']],
    });
    expect((await stream.ready()).channels[0]).not.toHaveProperty('members');
    await (await server.join('carl', READ)).subscribe('cap:a');
    await server.realtime.publish('cap:a', 'after', 1);
    await ana.next('message');
    await stream.next('message');
    expect(ana.frames.some(({ event }) => event === 'join')).toBe(false);
    expect(stream.events.some(({ event }) => event === 'join')).toBe(false);
  });

  it('is told to who may, until a new token takes the right away', async () => {
    const ana = await server.join('ana', SEE);
    expect(await ana.subscribe('cap:b', { presence: true })).toHaveProperty('members');
    await (await server.join('ben', READ)).subscribe('cap:b');
    await ana.next('join', ({ data }) => data.member.user === 'ben');
    await ana.ok('authenticate', { token: server.token('ana', READ.claims) });
    await (await server.join('carl', READ)).subscribe('cap:b');
    await server.realtime.publish('cap:b', 'after', 1);
    await ana.next('message');
    await ana.expectNone('join');
  });
});

/** Five publications, and the epoch that a subscriber is told. */
async function filled(channel: string, client: WsClient): Promise<string> {
  for (let n = 1; n <= 5; n++) await server.realtime.publish(channel, 'e', n);
  const { epoch } = await client.subscribe(channel);
  await client.ok('unsubscribe', { channel });
  return epoch;
}

describe('history that may not be read', () => {
  it.each([
    ['a number', 2, ''],
    ['the place before the last', 4, ''],
    ['the beginning with an id made up', 0, 'AAAAAAAAAAA'],
  ])('is not given to who says that he stands at %s', async (_where, offset, id) => {
    const channel = `past:${offset}${id}`;
    const ana = await server.join('ana');
    const epoch = await filled(channel, ana);
    expect(await ana.refusal('history', { channel })).toBe('forbidden');
    const reply = await ana.subscribe(channel, { since: { epoch, offset, id } });
    expect(reply).toMatchObject({ recovered: false, reason: 'expired', messages: [], offset: 5 });

    const cursor = `1~${encodeURIComponent(channel)}!${epoch}.${offset}.${id}`;
    const stream = await openSse(server.url, [channel], {
      token: server.token('ana'),
      query: [['cursor', cursor]],
    });
    expect((await stream.ready()).channels[0]).toMatchObject({ recovered: false, replayed: 0 });
    for (const wait of [0, 1]) {
      const answer = await poll(server.url, [channel], { token: server.token('ana'), cursor, wait });
      expect([answer.status, answer.body.messages]).toEqual([200, []]);
    }
  });

  it('is not given to a token without the right, and is to one with it', async () => {
    const reader = await server.join('ana', READ);
    const epoch = await filled('cap:past', reader);
    const since = { epoch, offset: 1, id: '' };
    expect((await reader.subscribe('cap:past', { since })).messages).toEqual([]);
    const historian = await server.join('ben', {
      claims: { channels: { 'cap:*': ['subscribe', 'history'] } },
    });
    expect((await historian.subscribe('cap:past', { since })).messages).toHaveLength(4);
  });

  it('does not keep anybody from what he missed: he names the message he had', async () => {
    const ana = await server.join('ana');
    await server.realtime.publish('past:missed', 'e', 'before');
    const { epoch, offset, id } = await ana.subscribe('past:missed');
    await ana.ok('unsubscribe', { channel: 'past:missed' });
    for (const n of [1, 2]) await server.realtime.publish('past:missed', 'e', n);
    const reply = await ana.subscribe('past:missed', { since: { epoch, offset, id } });
    expect([reply['recovered'], reply.messages.map(({ data }) => data)]).toEqual([true, [1, 2]]);
  });

  it('begins for who was there before anything was', async () => {
    const ana = await server.join('ana');
    const { epoch, offset, id } = await ana.subscribe('past:new');
    expect([offset, id]).toEqual([0, '']);
    await ana.ok('unsubscribe', { channel: 'past:new' });
    await server.realtime.publish('past:new', 'e', 1);
    expect(await ana.subscribe('past:new', { since: { epoch, offset, id } })).toMatchObject({
      recovered: true,
    });
  });

  it('is no more than the last value where newcomers get that, by every transport', async () => {
    const ana = await server.join('ana');
    const epoch = await filled('last:a', ana);
    const reply = await ana.subscribe('last:a', { since: { epoch, offset: 1, id: '' } });
    expect(reply.messages.map(({ data }) => data)).toEqual([5]);
    const token = server.token('ana');
    const { cursor } = (await poll(server.url, ['last:a'], { token, wait: 0 })).body;
    const { body } = await poll(server.url, ['last:a'], { token, wait: 0, cursor });
    expect(body.messages.map(({ data }) => data)).toEqual([5]);
    expect(body).not.toHaveProperty('gaps');
  });
});

describe('an idempotency key', () => {
  const publish = (client: WsClient, data: string) =>
    client.ok('publish', { channel: 'room:keys', event: 'e', data, idempotencyKey: 'order-17' });

  it('of somebody else takes nobody his message: users, strangers and backends have their own', async () => {
    const first = await publish(await server.join('ana'), 'ana');
    const others = [
      await publish(await server.join('ben'), 'ben'),
      await publish(await server.join(undefined), 'stranger'),
      { ...(await server.realtime.publish('room:keys', 'e', 'backend', { idempotencyKey: 'order-17' })) },
    ];
    expect([first, ...others].map((reply) => [reply['offset'], reply['duplicate']])).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [4, false],
    ]);
    const { messages } = await server.realtime.history('room:keys');
    expect(messages.map(({ data }) => data)).toEqual(['"ana"', '"ben"', '"stranger"', '"backend"']);
  });

  it('is the same for one user on another session and by REST', async () => {
    const first = await publish(await server.join('zoe'), 'once');
    const again = await publish(await server.join('zoe'), 'twice');
    const response = await fetch(`${server.url}/api/channels/room:keys/messages`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${server.token('zoe')}`,
        'content-type': 'application/json',
        'idempotency-key': 'order-17',
      },
      body: '{"event":"e","data":"thrice"}',
    });
    const place = { offset: first.offset, id: first.id, duplicate: true };
    expect(again).toMatchObject(place);
    expect(await response.json()).toMatchObject(place);
  });
});

describe('a session that ends while its credential is checked', () => {
  it('becomes nobody', async () => {
    const key = issuerKey('ES256', 'key-1');
    const provider = await FakeIdentityProvider.away(key);
    const held: ServerResponse[] = [];
    provider.misbehave((response) => void held.push(response));
    await provider.listen();
    const slow = await startE2e({ env: { TRUNKLINE_JWT_SECRET: '', TRUNKLINE_JWKS_URL: provider.url } });
    try {
      const client = await connect(slow.wsUrl);
      await client.next('welcome');
      const [session] = [...slow.core.hub.all()];
      client.send({ event: 'authenticate', id: 1, data: { token: key.token() } });
      await until(() => held.length > 0, 'the question for the keys');
      client.cut();
      await until(() => slow.stats().sessions === 0, 'the end of the session');
      const other = await connect(slow.wsUrl);
      const answered = other.ok('authenticate', { token: key.token() });
      await until(() => slow.stats().sessions === 1, 'the other');
      for (const response of held) response.end(JSON.stringify({ keys: [key.jwk] }));
      expect(await answered).toMatchObject({ user: 'ana' });
      expect(session?.ended).toBe(true);
      expect(session?.identity.kind).toBe('anonymous');
    } finally {
      await slow.close();
      await provider.stop();
    }
  });
});
