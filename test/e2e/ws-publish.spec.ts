// Publishing over the socket: what the reply says, who gets a copy, keys that make it once, and payload text that stays as it came.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { disposeClients } from '../support/ws-client.js';

let server: E2eServer;
let channel = '';
let count = 0;
beforeAll(async () => {
  server = await startE2e({
    rules: [{ channel: 'pub:{name}', history: { size: 100, ttl: '1m' } }, { channel: 'plain:{name}' }],
  });
});
afterEach(disposeClients);
afterAll(() => server.close());

const fresh = (family = 'pub'): string => (channel = `${family}:${++count}`);

describe('a publish', () => {
  it('is answered with its place after the log has it', async () => {
    const ana = await server.join('ana');
    const reply = await ana.publish(fresh(), { n: 1 });
    const history = await ana.ok('history', { channel });
    expect(reply).toEqual({
      channel,
      epoch: history.epoch,
      offset: 1,
      id: history.messages[0]?.id,
      duplicate: false,
    });
    expect(history.messages).toHaveLength(1);
  });

  it('needs no subscription', async () => {
    const [ana, ben] = await Promise.all([
      server.join('ana', { claims: { name: 'Ana' } }),
      server.join('ben'),
    ]);
    await ben.subscribe(fresh());
    await ana.publish(channel, { n: 1 });
    const { data } = await ben.next('message');
    expect(data).toMatchObject({
      channel,
      offset: 1,
      event: 'tick',
      data: { n: 1 },
      from: { user: 'ana', name: 'Ana' },
    });
    expect(Math.abs((data['time'] as number) - Date.now())).toBeLessThan(10_000);
    await ana.expectNone('message');
  });

  it('comes back to its sender like to all others, before or after the reply', async () => {
    const ana = await server.join('ana');
    await ana.subscribe(fresh());
    const { id } = await ana.publish(channel, 1);
    expect((await ana.next('message')).data.id).toBe(id);
  });

  it('with echo false spares that session its copy, and no other of the same user', async () => {
    const [ana, twin] = await Promise.all([server.join('ana'), server.join('ana')]);
    await ana.subscribe(fresh());
    await twin.subscribe(channel);
    await ana.publish(channel, 1, { echo: false });
    expect((await twin.next('message')).data.data).toBe(1);
    await ana.expectNone('message');
    await twin.publish(channel, 2);
    expect((await ana.next('message')).data.offset).toBe(2);
  });

  it('by the application can spare one session as well', async () => {
    const [ana, ben] = await Promise.all([server.join('ana'), server.join('ben')]);
    await ana.subscribe(fresh());
    await ben.subscribe(channel);
    const { session } = (await ana.next('welcome')).data;
    await server.realtime.publish(channel, 'tick', 1, { exceptSession: session });
    expect((await ben.next('message')).data.data).toBe(1);
    await ana.expectNone('message');
  });

  it('by REST can spare one session as well', async () => {
    const [ana, ben] = await Promise.all([server.join('ana'), server.join('ben')]);
    await ana.subscribe(fresh());
    await ben.subscribe(channel);
    const { session } = (await ana.next('welcome')).data;
    const body = { event: 'tick', data: 1, exceptSession: session };
    expect((await server.api('POST', `/channels/${channel}/messages`, body)).status).toBe(201);
    await ben.next('message');
    await ana.expectNone('message');
  });

  it('without history has offset 0 in the reply and none on the wire', async () => {
    const ana = await server.join('ana');
    await ana.subscribe(fresh('plain'));
    expect((await ana.publish(channel, 1)).offset).toBe(0);
    expect((await ana.next('message')).data).not.toHaveProperty('offset');
  });
});

describe('an idempotency key', () => {
  it('publishes once for a hundred tries from several sessions at once', async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => server.join('ana')));
    const [ana] = clients as [(typeof clients)[0]];
    await ana.subscribe(fresh());
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => i).flatMap((i) =>
        clients.map((client) => client.publish(channel, i, { idempotencyKey: 'once' })),
      ),
    );
    expect(new Set(replies.map((reply) => `${reply.offset} ${reply.id}`)).size).toBe(1);
    expect(replies.filter((reply) => reply['duplicate'] === false)).toHaveLength(1);
    await ana.next('message');
    await ana.expectNone('message');
  });

  it('of one channel says nothing about another', async () => {
    const ana = await server.join('ana');
    const first = await ana.publish(fresh(), 1, { idempotencyKey: 'k' });
    const second = await ana.publish(fresh(), 1, { idempotencyKey: 'k' });
    expect([first['duplicate'], second['duplicate']]).toEqual([false, false]);
  });
});

describe('payload text', () => {
  it.each([
    ['numbers beyond doubles', '{"n":12345678901234567890.00,"m":1e400}'],
    ['blanks and order', '{ "b" : 1,  "a":\t[ 1 , 2 ] }'],
    ['escapes', '{"text":"\\u00e9\\/\\ud83d\\ude00"}'],
    ['a key named __proto__', '{"__proto__":{"x":1},"constructor":2}'],
    ['a bare text', '"just text"'],
    ['null', 'null'],
  ])('with %s arrives byte for byte', async (_what, text) => {
    const ben = await server.join('ben');
    await ben.subscribe(fresh());
    let wire = '';
    ben.socket.on('message', (data) => (wire = (data as Buffer).toString()));
    const ana = await server.join('ana');
    ana.sendText(
      `{"event":"publish","id":"p","data":{"channel":"${channel}","event":"tick","data":${text}}}`,
    );
    await ana.next('ok', ({ id }) => id === 'p');
    await ben.next('message');
    expect(wire).toContain(`"data":${text},"from"`);
  });
});

describe('requests of one session', () => {
  it('are answered in their order, also when many are sent at once', async () => {
    const ana = await server.join('ana');
    await ana.subscribe(fresh());
    const ids = Array.from({ length: 300 }, (_, i) => `r${i}`);
    ids.forEach((id, i) => {
      const data = i % 3 === 0 ? { channel, event: 'tick', data: i } : { channel };
      ana.send({ event: ['publish', 'history', 'ping'][i % 3], id, data });
    });
    await ana.next('ok', ({ id }) => id === 'r299');
    expect(ana.frames.filter(({ id }) => typeof id === 'string').map(({ id }) => id)).toEqual(ids);
  });
});
