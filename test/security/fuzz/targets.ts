// The parsers that strangers reach, what each begins with, and what must hold of every answer. Knows nothing of how texts are made.

import { isDeepStrictEqual } from 'node:util';
import { identityOf } from '../../../src/auth/claims.js';
import { readToken } from '../../../src/auth/token.reader.js';
import { parseRules, RulesFileError } from '../../../src/channels/rules-file.js';
import { TrunklineError } from '../../../src/core/errors.js';
import { parseChannelPattern } from '../../../src/protocol/channel-pattern.js';
import { isErrorCode } from '../../../src/protocol/codes.js';
import { decodeCursor, encodeCursor } from '../../../src/protocol/cursor.js';
import { decodeFrame } from '../../../src/protocol/decode.js';
import { isChannelName, isEventName, isKey } from '../../../src/protocol/names.js';
import { formatPosition, parsePosition } from '../../../src/protocol/position.js';
import { readStreamQuery } from '../../../src/protocol/stream-query.js';
import type { Target } from './engine.js';

const POSITION = 'q3mVvKx0Zk8.42.Jx8hV2mQ0aE';
const CURSOR = `1~chat%3Alobby!${POSITION}~prices%3AACME!abc.0.`;

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

function mustEqual(found: unknown, wanted: unknown, what: string): void {
  if (!isDeepStrictEqual(found, wanted))
    throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}

/** What is refused is refused by an error of its kind, never by an accident. */
function onlyThrows(kind: abstract new (...args: never[]) => Error, act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
  }
}

const frame: Target = {
  name: 'decodeFrame',
  seeds: [
    '{"event":"ping","id":1}',
    '{"event":"subscribe","id":"a","data":{"channel":"chat:lobby","since":{"epoch":"a","offset":1,"id":"b"},"presence":true}}',
    '{"event":"publish","id":2,"data":{"channel":"chat:lobby","event":"message","data":{"text":"hi\\u0041"},"key":"k","idempotencyKey":"i","echo":false}}',
    '{"event":"history","data":{"channel":"a","limit":5,"reverse":true,"since":null}}',
    '{"event":"authenticate","data":{"token":"a.b.c"}}',
    '{"event":"own","data":{"x":[1,2,{"y":null}]}}',
    '{"d\\u0061ta":{"d\\u0061ta":[1]},"event":"publish","data":{"channel":"a","event":"b","data":"\\\\\\""}}',
    '['.repeat(40),
  ],
  words: [
    '"event":',
    '"data":',
    '"id":',
    '"channel":',
    '"publish"',
    '"subscribe"',
    '"since":',
    '"offset":',
    '"d\\u0061ta":',
    '{"data":',
    '\\u0022',
    '"a":1,',
    '[[',
    ']]',
    '{"":{"":',
  ],
  check(text) {
    const decoded = decodeFrame(text);
    if (!decoded.ok) {
      must(isErrorCode(decoded.error.code), 'a code nobody knows');
      return;
    }
    const parsed = JSON.parse(text) as { event: string; data?: { data?: unknown } };
    const { command } = decoded;
    if ('channel' in command) must(isChannelName(command.channel), 'a channel of no name');
    if (command.type === 'publish') {
      must(isEventName(command.event), 'an event of no name');
      for (const key of [command.key, command.idempotencyKey])
        must(key === undefined || isKey(key), 'a key of no name');
      // The payload is cut out of the text, and must be what a parser finds there: otherwise two readers see two messages.
      mustEqual(JSON.parse(command.data), parsed.data?.data ?? null, 'the payload');
    }
    if (command.type === 'custom') mustEqual(JSON.parse(command.data), parsed.data ?? {}, 'the data');
  },
};

const cursor: Target = {
  name: 'decodeCursor',
  seeds: [CURSOR, '1~', '1~a!b.1.c', '1~%F0%9F%98%80!a.9007199254740991.'],
  words: ['1~', '~', '!', '%', '%E2', '%20', '.0.', '9007199254740992', POSITION],
  check(text) {
    const decoded = decodeCursor(text);
    if (decoded === undefined) return;
    for (const channel of decoded.keys()) must(isChannelName(channel), 'a channel of no name');
    const again = encodeCursor(decoded);
    // What we print ourselves goes into headers and lines of a stream.
    must(/^[A-Za-z0-9\-_.~!%]*$/.test(again), 'a cursor that no header holds');
    mustEqual(decodeCursor(again), decoded, 'read again');
  },
};

const position: Target = {
  name: 'parsePosition',
  seeds: [POSITION, 'a.0.', 'a.9007199254740991.b', 'a.1'],
  words: ['.', '..', '00', '9007199254740992', '-1', '1e3', '+'],
  check(text) {
    const parsed = parsePosition(text);
    if (parsed === undefined) return;
    must(Number.isSafeInteger(parsed.offset) && parsed.offset >= 0, 'an offset that is none');
    mustEqual(parsePosition(formatPosition(parsed)), parsed, 'read again');
  },
};

const streamQuery: Target = {
  name: 'readStreamQuery',
  // A line each: the last id seen, the cursor, and the channels.
  seeds: [`${CURSOR}\n\nchat:lobby`, '\n1~\na\nb', '\n\nchat:a\nchat:a', `end\n${CURSOR}\n`],
  words: ['\n', '1~', 'chat:', '%', '\r', '\u202e'],
  check(text) {
    const [lastSeen, given, ...channel] = text.split('\n');
    const asked = readStreamQuery({ channel, ...(given === undefined ? {} : { cursor: given }) }, lastSeen);
    if (asked.ok) for (const name of asked.channels) must(isChannelName(name), 'a channel of no name');
    else must(asked.message !== '', 'a refusal without words');
  },
};

const rules: Target = {
  name: 'parseRules',
  seeds: [
    '[{"channel":"orders:{id}","subscribe":"authenticated","publish":"backend","presence":true,"history":{"size":10,"ttl":"1h"}}]',
    '[{"channel":"a:*","events":["tick"],"maxBytes":64,"overflow":"conflate"},{"channel":"a:{b}"}]',
    '[{"channel":"x","subscribe":"capability","publish":"anyone","historyAccess":"anyone","history":{"size":1,"ttl":"10ms"}}]',
    '\ufeff[]',
  ],
  words: [
    '"channel":',
    '"subscribe":',
    '"history":',
    '"size":',
    '"ttl":',
    '"1h"',
    '"overflow":',
    '"events":',
    '{id}',
    ':*',
    '"anyone"',
    'null',
  ],
  check(text) {
    onlyThrows(RulesFileError, () => {
      for (const { channel } of parseRules(text)) parseChannelPattern(channel).match('orders:1');
    });
  },
};

const pattern: Target = {
  name: 'parseChannelPattern',
  seeds: ['chat:{room}', 'orders:*', 'a:{b}:c', '{a}:{b}', '__proto__'],
  words: ['{', '}', '*', ':', '{a}', '__proto__', '{constructor}'],
  check(text) {
    let parsed;
    try {
      parsed = parseChannelPattern(text);
    } catch (error) {
      must(/^(?:A c|C)hannel pattern/.test((error as Error).message), 'an accident');
      return;
    }
    const params = parsed.match(text.replaceAll(/[{}*]/g, 'x'));
    for (const name of params?.keys() ?? []) must(parsed.params.includes(name), 'a parameter of nobody');
  },
};

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64url');

const tokenHeader: Target = {
  name: 'the header of a token',
  seeds: [
    '{"alg":"HS256","typ":"JWT"}',
    '{"alg":"RS256","kid":"a","typ":"at+jwt"}',
    '{"alg":"none"}',
    '{"alg":"ES256","crit":["x"]}',
    '{"alg":"EdDSA","jwk":{},"jku":"http://a"}',
  ],
  words: [
    '"alg":',
    '"kid":',
    '"typ":',
    '"crit":',
    '"jku":',
    '"x5u":',
    '"b64":false',
    '"none"',
    '"HS256"',
    '"__proto__":',
    '"\\u0061lg":',
  ],
  check(wounded) {
    // Half a character has no UTF-8.
    const text = Buffer.from(wounded, 'utf8').toString('utf8');
    onlyThrows(TrunklineError, () => {
      const { alg, kid } = readToken(`${base64(text)}.${base64('{}')}.AA`);
      const header = JSON.parse(text) as Record<string, unknown>;
      mustEqual([header['alg'], header['kid']], [alg, kid], 'the header');
      for (const name of ['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64'])
        must(!Object.hasOwn(header, name), `the header ${name}`);
    });
  },
};

const token: Target = {
  name: 'a token',
  seeds: [
    `${base64('{"alg":"HS256"}')}.${base64('{"sub":"a"}')}.AAAA`,
    'a.b.c',
    '..',
    `${base64('{"alg":"HS256"}')}.${base64('{}')}.`,
  ],
  words: ['.', '..', '=', '-', '_', '+', '/', base64('{"alg":"none"}'), base64('{}')],
  check(text) {
    onlyThrows(TrunklineError, () => {
      readToken(text);
      // One token, one text: another spelling of the same would pass by a list of revoked ones.
      must(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(text), 'another spelling');
    });
  },
};

const claims: Target = {
  name: 'the claims of a token',
  seeds: [
    '{"sub":"ana","exp":2000000000,"iat":1,"jti":"a","name":"Ana","channels":{"chat:*":["subscribe","publish"]},"join":["a"]}',
    '{"sub":"ana","exp":1e9,"channels":{"__proto__":["publish"]}}',
    '{"sub":"a","exp":1,"join":[]}',
  ],
  words: [
    '"sub":',
    '"exp":',
    '"channels":',
    '"join":',
    '"publish"',
    '"*":',
    '["subscribe"]',
    '"__proto__":',
    '{}',
    '1e999',
  ],
  check(text) {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    const read = value as Record<string, unknown>;
    onlyThrows(TrunklineError, () => {
      const { kind, user, expiresAt, grants, join } = identityOf(read);
      mustEqual([kind, user], ['user', read['sub']], 'who it is');
      must(Number.isFinite(expiresAt), 'no end');
      must(grants.length <= 64, 'too many grants');
      must(join.every(isChannelName), 'a channel of no name');
    });
  },
};

export const TARGETS: readonly Target[] = [
  frame,
  cursor,
  position,
  streamQuery,
  rules,
  pattern,
  tokenHeader,
  token,
  claims,
];
