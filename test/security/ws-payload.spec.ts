// What a payload and a name go through between publish and delivery: nothing. Byte for byte, duplicates, escapes, names of Object.prototype.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openSession, startSuiteServer, type RawSocket, type SuiteServer } from '../support/raw-socket.js';

const ROOM = {
  channel: 'room:{name}',
  subscribe: 'authenticated',
  publish: 'authenticated',
  presence: true,
  history: { size: 100, ttl: '1m' },
  maxBytes: 65_536,
};
const PROTO_NAMES = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'valueOf',
  'prototype',
  '__defineGetter__',
];

let server: SuiteServer;
beforeAll(async () => {
  server = await startSuiteServer([ROOM]);
});
afterEach(async () => server.settle());
afterAll(async () => {
  expect(Object.keys(Object.prototype)).toEqual([]);
  await server.finish();
});

async function session(user = 'ana'): Promise<RawSocket> {
  return openSession(server.port, { token: server.token(user) });
}

/** Publishes by a frame of this text into `room:raw` and returns the text of the live message and of the one in the history. */
async function roundTrip(frame: string): Promise<{ live: string; kept: string }> {
  const raw = await session();
  expect((await raw.request('subscribe', { channel: 'room:raw' })).event).toBe('ok');
  raw.send(frame);
  expect(await raw.reply('p')).toMatchObject({
    event: 'ok',
    data: { channel: 'room:raw', duplicate: false },
  });
  const live = await raw.push('message');
  const kept = await raw.request('history', { channel: 'room:raw', limit: 1, reverse: true });
  return { live: live.text, kept: kept.text };
}

function publishFrame(payload: string): string {
  return `{"event":"publish","id":"p","data":{"channel":"room:raw","event":"e","data":${payload}}}`;
}

describe('a payload arrives byte for byte, live and from the history:', () => {
  it.each([
    'null',
    'true',
    '""',
    '{}',
    '[]',
    '0',
    '-0',
    '1e400',
    '-1e400',
    '1E+2',
    '1.0',
    '0.10000000000000000000001',
    '12345678901234567890123',
    `1${'0'.repeat(500)}`,
    '{"a":12345678901234567890123,"b":[1.50,-0.0]}',
    '{ "a" :  1 ,\t"b":[ 1,2 ]\n}',
    '"\\u0041\\u00e9\\u2028\\/\\b"',
    '"\\ud800"',
    '"\\ud83d\\ude00 😀"',
    '"\u2028\u2029\ufeff"',
    '"\\u0000"',
    '"</script><!-- &amp; "',
    '{"b":1,"a":2,"10":3,"2":4}',
    '{"a":1,"a":2}',
    '{"__proto__":{"polluted":true}}',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '{"toJSON":1,"then":"x","length":-1}',
    '"\\",\\"id\\":\\"forged\\",\\"event\\":\\"forged\\""',
    '{"data":{"data":{"data":1}}}',
    '["data",{"data":[{"data":2}]}]',
  ])('%s', async (payload) => {
    const { live, kept } = await roundTrip(publishFrame(payload));
    expect(live).toContain(`"data":${payload},`);
    expect(kept).toContain(`"data":${payload},`);
  });

  it('the largest one', async () => {
    const payload = `"${'é'.repeat(10_000)}${'x'.repeat(30_000)}"`;
    const { live, kept } = await roundTrip(publishFrame(payload));
    expect(live.includes(`"data":${payload},`)).toBe(true);
    expect(kept.includes(`"data":${payload},`)).toBe(true);
  });
});

describe('the payload is the one that JSON.parse would find', () => {
  const fields = '"channel":"room:raw","event":"e"';
  it.each([
    ['two data in data: the last', `{"event":"publish","id":"p","data":{${fields},"data":1,"data":2}}`, '2'],
    ['data first', `{"event":"publish","id":"p","data":{"data":3,${fields}}}`, '3'],
    ['data before event and id', `{"data":{${fields},"data":4},"event":"publish","id":"p"}`, '4'],
    ['an escaped inner key', `{"event":"publish","id":"p","data":{${fields},"d\\u0061ta":5}}`, '5'],
    ['an escaped outer key', `{"event":"publish","id":"p","d\\u0061t\\u0061":{${fields},"data":6}}`, '6'],
    [
      'an escaped key after a plain one',
      `{"event":"publish","id":"p","data":{${fields},"data":1,"\\u0064ata":7}}`,
      '7',
    ],
    [
      'data in a sibling object',
      `{"event":"publish","id":"p","data":{"x":{"data":1},${fields},"data":8,"y":{"data":1}}}`,
      '8',
    ],
    [
      'data in a sibling array',
      `{"event":"publish","id":"p","data":{"x":["data",{"data":1}],${fields},"data":9}}`,
      '9',
    ],
    [
      'data as a value',
      `{"event":"publish","id":"p","data":{"x":"data","data":10,${fields},"y":"\\"data\\":1"}}`,
      '10',
    ],
    [
      'data with a blank in the key beside it',
      `{"event":"publish","id":"p","data":{${fields},"data":11,"data ":1," data":1}}`,
      '11',
    ],
    [
      'data in another field of the frame',
      `{"x":{"data":1},"event":"publish","id":"p","data":{${fields},"data":12},"y":{"data":{}}}`,
      '12',
    ],
    [
      'two outer data: the last',
      `{"event":"publish","id":"p","data":{"channel":"nope:x","data":1},"data":{${fields},"data":13}}`,
      '13',
    ],
    [
      'two outer data, the first one longer',
      `{"event":"publish","id":"p","data":{"data":1},"data":{${fields},"data":14}}`,
      '14',
    ],
    [
      'blanks around everything',
      `  { "event" : "publish" , "id":"p","data" : {${fields} ,\n"data" : 15 } }\r\n`,
      '15',
    ],
    [
      'an escaped backslash before a quote',
      `{"event":"publish","id":"p","data":{"x":"\\\\","data":16,${fields}}}`,
      '16',
    ],
    [
      'two events: the last',
      `{"event":"ping","event":"publish","id":"p","data":{${fields},"data":17}}`,
      '17',
    ],
    ['two ids: the last', `{"event":"publish","id":"o","id":"p","data":{${fields},"data":18}}`, '18'],
    ['an escaped event value', `{"event":"publ\\u0069sh","id":"p","data":{${fields},"data":19}}`, '19'],
    [
      'empty objects before it',
      `{"a":{},"b":[],"event":"publish","id":"p","data":{"x":{},"y":[],${fields},"data":20}}`,
      '20',
    ],
  ])('%s', async (_name, frame, payload) => {
    const { live, kept } = await roundTrip(frame);
    expect(live).toContain(`"data":${payload},`);
    expect(kept).toContain(`"data":${payload},`);
  });

  it.each([
    [
      'a second outer data without a payload',
      '{"channel":"room:raw","event":"e","data":"old"},"data":{"channel":"room:raw","event":"e"}',
    ],
    [
      'a second outer data under an escaped key',
      '{"channel":"room:raw","event":"e","data":"old"},"d\\u0061ta":{"channel":"room:raw","event":"e"}',
    ],
  ])('never the one that was overwritten: %s', async (_name, data) => {
    const raw = await session();
    await raw.request('subscribe', { channel: 'room:raw' });
    raw.send(`{"event":"publish","id":"p","data":${data}}`);
    const reply = await raw.reply('p');
    if (reply.event === 'ok') expect((await raw.push('message')).text).toContain('"data":null,');
    else expect(reply.data['code']).toBe('invalid_data');
  });
});

describe('a name of Object.prototype is a name like any other:', () => {
  it.each(PROTO_NAMES)('%s as a channel, all its life', async (name) => {
    const channel = `room:${name}`;
    const raw = await session();
    expect((await raw.request('subscribe', { channel, presence: true })).data).toMatchObject({
      channel,
      messages: [],
    });
    const { id } = (await raw.request('publish', { channel, event: 'e', data: { n: 1 } })).data;
    expect((await raw.push('message')).data).toMatchObject({ channel, id });
    expect((await raw.request('presence', { channel })).data['members']).toMatchObject([
      { user: 'ana', connections: 1 },
    ]);
    expect((await raw.request('history', { channel })).data['messages']).toMatchObject([{ channel, id }]);
    expect((await raw.request('unsubscribe', { channel })).data).toEqual({ channel });
    expect((await raw.request('unsubscribe', { channel })).data['code']).toBe('not_subscribed');
  });

  it.each(PROTO_NAMES)('%s as a user', async (name) => {
    const raw = await refreshedSession(name);
    // A user who has left is present for 2 s more, so each has a room alone.
    const channel = `room:of-${name}`;
    await raw.request('subscribe', { channel });
    expect((await raw.request('presence', { channel })).data['members']).toMatchObject([{ user: name }]);
    await raw.request('publish', { channel, event: 'e', data: 1 });
    expect((await raw.push('message')).data['from']).toMatchObject({ user: name });
  });

  it.each(PROTO_NAMES)('%s as an event of a channel', async (name) => {
    const raw = await session();
    await raw.request('subscribe', { channel: 'room:events' });
    expect((await raw.request('publish', { channel: 'room:events', event: name, data: 1 })).event).toBe('ok');
    expect((await raw.push('message')).data['event']).toBe(name);
  });

  it.each(PROTO_NAMES)('%s as a key', async (name) => {
    const raw = await session();
    await raw.request('subscribe', { channel: 'room:keys' });
    expect(
      (await raw.request('publish', { channel: 'room:keys', event: 'e', data: 1, key: name })).event,
    ).toBe('ok');
    expect((await raw.push('message')).data['key']).toBe(name);
  });

  it.each(PROTO_NAMES)('%s as an idempotency key: new once, a duplicate then', async (name) => {
    const raw = await session();
    const publish = { channel: 'room:once', event: 'e', data: 1, idempotencyKey: name };
    const first = await raw.request('publish', publish);
    expect(first.data).toMatchObject({ duplicate: false });
    const { epoch, offset, id } = first.data;
    expect((await raw.request('publish', publish)).data).toMatchObject({
      epoch,
      offset,
      id,
      duplicate: true,
    });
  });

  it.each(PROTO_NAMES)('%s as a field beside the known ones', async (name) => {
    const raw = await session();
    raw.send(`{"${name}":{"event":"nope","isAdmin":true},"event":"ping","id":1,"data":{"${name}":{"x":1}}}`);
    expect(await raw.reply(1)).toMatchObject({ event: 'ok' });
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
  });
});

/** A session that has also refreshed its token. */
async function refreshedSession(user: string): Promise<RawSocket> {
  const raw = await session(user);
  const refreshed = await raw.request('authenticate', { token: server.token(user) });
  expect(refreshed.data).toMatchObject({ user });
  return raw;
}
