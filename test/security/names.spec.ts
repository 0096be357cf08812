// Names from outside: what is not shown is refused in every name, and names of the language itself (`__proto__` and its friends) are names
// like others, through every door. Knows nothing of what a channel does.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identityOf } from '../../src/auth/claims.js';
import { encodeCursor } from '../../src/protocol/cursor.js';
import { isChannelName, isEventName, isKey, isUserId } from '../../src/protocol/names.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { readOpenApi } from '../support/openapi.js';
import { signToken, TEST_API_KEY } from '../support/server.js';
import { disposeClients } from '../support/ws-client.js';

const CHECKS = { channel: isChannelName, user: isUserId, event: isEventName, key: isKey };

/** Of each kind that is not shown, or shown as something else, some of its kind. */
const INVISIBLE: Readonly<Record<string, readonly number[]>> = {
  'a control character': [0x00, 0x07, 0x08, 0x09, 0x0a, 0x0d, 0x1b, 0x7f, 0x80, 0x85, 0x9b, 0x9f],
  'a zero-width character': [0x200b, 0x200c, 0x200d, 0x2060, 0xfeff],
  'a mark or override of direction': [
    0x200e, 0x200f, 0x061c, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069,
  ],
  'a soft hyphen or an invisible operator': [0x00ad, 0x2061, 0x2062, 0x2063, 0x2064],
  'a tag character': [0xe0001, 0xe0020, 0xe0041, 0xe007f],
  'an annotation sign': [0xfff9, 0xfffa, 0xfffb],
  'a filler or joiner that is no format character': [0x034f, 0x115f, 0x1160, 0x17b4, 0x3164, 0xffa0],
  'a variation selector': [0x180b, 0xfe00, 0xfe0e, 0xfe0f, 0xe0100, 0xe01ef],
  'a line or paragraph separator': [0x2028, 0x2029],
  'a private or unassigned character': [0xe000, 0xf8ff, 0xf0000, 0x0378, 0xfffe, 0xffff],
};
const rows = Object.entries(INVISIBLE).flatMap(([kind, points]) =>
  points.map(
    (point) =>
      [`U+${point.toString(16).toUpperCase().padStart(4, '0')}`, kind, String.fromCodePoint(point)] as const,
  ),
);

describe('a name with', () => {
  it.each(rows)('%s, %s, is refused at the beginning, in the middle and at the end', (_code, _kind, sign) => {
    for (const [what, check] of Object.entries(CHECKS))
      for (const name of [sign, `${sign}ana`, `an${sign}a`, `ana${sign}`])
        expect(check(name), `${what} ${JSON.stringify(name)}`).toBe(false);
  });

  it.each(['\ud800', 'a\udc00', '\ud800a', 'a\ud83d'])('half a character, %j, is refused', (name) => {
    for (const check of Object.values(CHECKS)) expect(check(name)).toBe(false);
  });

  it.each([
    'ana',
    'Ana Belén',
    'ана',
    '安娜',
    'أنا',
    'อานา',
    '😀',
    'ñ',
    'n\u0303',
    'a-b_c.d',
    'user@example.com',
    '42',
  ])('letters of any script, %j, is a name', (name) => {
    expect([isUserId(name), isKey(name)]).toEqual([true, true]);
    const whole = name.replaceAll(' ', '-');
    expect([isChannelName(whole), isEventName(whole)]).toEqual([true, true]);
  });

  it.each(['a b', 'a\u00a0b', 'a\u3000b', 'a\u2003b', ' a'])(
    'a space, %j, is no channel and no event',
    (name) => {
      expect([isChannelName(name), isEventName(name)]).toEqual([false, false]);
    },
  );

  it('another type is refused', () => {
    for (const check of Object.values(CHECKS))
      for (const value of [
        undefined,
        null,
        1,
        true,
        {},
        [],
        ['ana'],
        { toString: () => 'ana' },
        new String('ana'),
      ])
        expect(check(value)).toBe(false);
  });

  it('a token of a user who cannot be seen is refused', () => {
    const exp = Math.floor(Date.now() / 1000) + 60;
    for (const [, , sign] of rows) expect(() => identityOf({ sub: `ana${sign}`, exp })).toThrow(/"sub"/);
  });
});

const RULES = [
  {
    channel: '{name}',
    subscribe: 'anyone',
    publish: 'anyone',
    presence: true,
    history: { size: 50, ttl: '1m' },
  },
  {
    channel: 'room:{name}',
    subscribe: 'anyone',
    publish: 'anyone',
    presence: true,
    history: { size: 50, ttl: '1m' },
  },
];
const OF_LANGUAGE = [
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
  'valueOf',
  'toJSON',
  'then',
  'length',
  'name',
  '__defineGetter__',
  '__lookupSetter__',
  'isPrototypeOf',
];
const HEADERS = { authorization: `Bearer ${TEST_API_KEY}`, 'content-type': 'application/json' };

/** What all objects of the process share, with the value of each. */
function shared(): string {
  const roots = [
    Object.prototype,
    Array.prototype,
    Function.prototype,
    String.prototype,
    Map.prototype,
    Promise.prototype,
    Buffer.prototype,
  ];
  return roots
    .map((root: object) =>
      Reflect.ownKeys(root)
        .map((key) => `${String(key)}:${typeof Object.getOwnPropertyDescriptor(root, key)?.value}`)
        .join(),
    )
    .join('\n');
}

describe('through every door', () => {
  const before = shared();
  let server: E2eServer;
  beforeAll(async () => {
    server = await startE2e({ rules: RULES, env: { TRUNKLINE_FAILED_LOGIN_RATE: '0' } });
  });
  afterAll(async () => {
    await server.close();
    expect(shared()).toBe(before);
  });

  async function publishOf(name: string): Promise<void> {
    const answer = await fetch(`${server.url}/api/channels/${name}/messages`, {
      method: 'POST',
      headers: { ...HEADERS, 'idempotency-key': name },
      body: `{"event":"${name}","key":"${name}","data":{"${name}":{"polluted":1}}}`,
    });
    expect([200, 201]).toContain(answer.status);
    expect(await answer.json()).toMatchObject({ channel: name, duplicate: false });
  }

  it.each(OF_LANGUAGE)(
    '%s is a channel, an event, a key and a payload by REST, and is read back as it was',
    async (name) => {
      await publishOf(name);
      const history = await (
        await fetch(`${server.url}/api/channels/${name}/messages`, { headers: HEADERS })
      ).text();
      expect(history).toContain(`"event":"${name}"`);
      expect(history).toContain(`"data":{"${name}":{"polluted":1}}`);
      expect(shared()).toBe(before);
    },
  );

  it.each(OF_LANGUAGE)('%s is a user, a channel, an event, a key and an id on a socket', async (name) => {
    const client = await server.join(name, {
      claims: { name, jti: name, channels: JSON.parse(`{"${name}":["publish","subscribe"]}`) as object },
    });
    expect((await client.next('welcome')).data['user']).toBe(name);
    const state = await client.subscribe(`room:${name}`, { presence: true });
    expect(state.members.map(({ user }) => user)).toEqual([name]);
    client.sendText(
      `{"event":"publish","id":"${name}","data":{"channel":"room:${name}","event":"${name}","key":"${name}","idempotencyKey":"${name}","data":{"${name}":{"polluted":1}}}}`,
    );
    const message = await client.next('message');
    expect(message.data).toMatchObject({ channel: `room:${name}`, event: name, key: name });
    expect(Object.keys(message.data.data as object)).toEqual(name === '__proto__' ? ['__proto__'] : [name]);
    expect((await client.ok('history', { channel: `room:${name}` })).messages).toHaveLength(1);
    expect((await client.ok('presence', { channel: `room:${name}` })).members).toHaveLength(1);
    await client.ok('unsubscribe', { channel: `room:${name}` });
    // An event of nobody, and fields where a command has none.
    client.sendText(`{"event":"${name}","id":2,"data":{"${name}":1}}`);
    client.sendText(`{"${name}":{"polluted":1},"event":"ping","id":3,"data":{"${name}":{"polluted":1}}}`);
    await client.settled();
    expect(await server.realtime.members(`room:${name}`)).toBeDefined();
    disposeClients();
    expect(shared()).toBe(before);
  });

  it.each(OF_LANGUAGE)(
    '%s is a channel of a stream and of a poll, and a parameter of neither',
    async (name) => {
      const position = { epoch: name.slice(0, 8), offset: 1, id: '' };
      const cursor = encodeCursor(new Map([[name, position]]));
      const stream = await fetch(
        `${server.url}/sse?channel=${name}&presence=${name}&cursor=${encodeURIComponent(cursor)}`,
      );
      expect(stream.status).toBe(200);
      await stream.body?.cancel();
      const odd = `${name}=1&${name}[polluted]=1&channel[${name}]=1&constructor[prototype][polluted]=1&__proto__[polluted]=1`;
      for (const path of ['/poll', '/sse', '/api/channels', '/api/stats', `/api/channels/${name}/messages`]) {
        const answer = await fetch(`${server.url}${path}?${odd}`, { headers: HEADERS });
        await answer.body?.cancel();
        expect(answer.status, path).toBeLessThan(500);
      }
      const poll = await fetch(
        `${server.url}/poll?channel=${name}&wait=0&${odd.replaceAll(/channel\[[^&]*&/g, '')}`,
        { headers: HEADERS },
      );
      expect(poll.status).toBe(200);
      expect(shared()).toBe(before);
    },
  );

  it.each(OF_LANGUAGE)('%s in every place of every call that is described does no harm', async (name) => {
    const { calls } = await readOpenApi(server.url);
    const bodies = [
      `{"${name}":{"polluted":1}}`,
      `{"user":"${name}","name":"${name}","channels":{"${name}":["publish"]},"${name}":{"polluted":1}}`,
      `{"channel":"${name}","event":"${name}","data":{"__proto__":{"polluted":1}},"key":"${name}"}`,
      `{"messages":[{"channel":"${name}","event":"${name}","data":{"constructor":{"prototype":{"polluted":1}}}},{"__proto__":{"polluted":1}}]}`,
      `{"channels":["${name}"],"event":"${name}","data":1,"__proto__":{"channels":["a"]}}`,
      `{"tokenId":"${name}","before":1,"constructor":{"prototype":{"polluted":1}}}`,
      `[{"__proto__":{"polluted":1}}]`,
    ];
    for (const { method, path, body } of calls) {
      if (path === '/sse') continue;
      for (const text of body === undefined ? [undefined] : bodies) {
        const answer = await fetch(
          `${server.url}${path.replaceAll(/\{\w+\}/g, name)}?${name}=${name}&wait=0`,
          {
            method,
            headers: { ...HEADERS, 'x-proto': name, 'last-event-id': name, 'idempotency-key': name },
            ...(text === undefined ? {} : { body: text }),
          },
        );
        const answered = await answer.text();
        expect(answer.status, `${method} ${path} ${text}: ${answered}`).toBeLessThan(500);
      }
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(shared()).toBe(before);
  });

  it.each(OF_LANGUAGE)(
    '%s as a claim, a header of a token or a key of its map makes nobody more than he is',
    async (name) => {
      const claims = JSON.parse(
        `{"${name}":{"kind":"backend"},"__proto__":{"kind":"backend","join":["a"]},"channels":{"${name}":["publish"]},"join":["${name}"]}`,
      ) as Record<string, unknown>;
      for (const path of ['/api/stats', '/api/sessions']) {
        const answer = await fetch(server.url + path, {
          headers: { authorization: `Bearer ${signToken({ ...claims, sub: name })}` },
        });
        expect([401, 403], path).toContain(answer.status);
      }
      expect(shared()).toBe(before);
    },
  );
});
