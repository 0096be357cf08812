// Every call of the OpenAPI document with bodies and parameters made by its schemas, and with hostile ones: always an answer, never a 500, and
// every refusal a problem with a code that is known. Knows no call by name.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/protocol/codes.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { readOpenApi, type Api, type Call, type Schema } from '../support/openapi.js';
import { TEST_API_KEY } from '../support/server.js';

const RULES = [
  {
    channel: 'room:{name}',
    subscribe: 'anyone',
    publish: 'anyone',
    presence: true,
    history: { size: 20, ttl: '1m' },
  },
  { channel: 'small:{name}', publish: 'authenticated', maxBytes: 16, events: ['tick'] },
];
/** Requests a call of the document. With a dozen calls the file takes about 10 s. */
const RUNS = 120;
/** Milliseconds an answer may take; a poll is asked not to wait. */
const ANSWER_MS = 5000;
/** Phrases of statuses that no code of the protocol stands for. */
const PHRASES = [
  'not_found',
  'unsupported_media_type',
  'method_not_allowed',
  'request_header_fields_too_large',
];
const CODES = new Set([...Object.keys(ERRORS), ...PHRASES]);

let server: E2eServer;
let api: Api;
beforeAll(async () => {
  // Bad credentials are among what is sent, and after some of them none would be looked at.
  server = await startE2e({ rules: RULES, env: { TRUNKLINE_FAILED_LOGIN_RATE: '0' } });
  api = await readOpenApi(server.url);
});
afterAll(() => server.close());

const CHANNELS = fc.constantFrom(
  'room:a',
  'room:b',
  'small:a',
  'chat:lobby',
  'none:a',
  'prices:ACME',
  '__proto__',
);
const TEXTS = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 300 }),
  fc.constantFrom(
    '',
    ' ',
    'a'.repeat(5000),
    '\u202e',
    '\0',
    "' OR 1=1 --",
    '../../etc/passwd',
    '${7*7}',
    '<script>',
    '%00',
    '-1',
    '1e999',
    'NaN',
    'true',
    'null',
    '[]',
    '\ud800',
  ),
);
const NUMBERS = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -0, -1, 2 ** 53, 1e308, 0.5));
/** Anything JSON has, and what no schema would have made. */
const ANYTHING: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  TEXTS,
  NUMBERS,
  fc.constantFrom<unknown>(null, true, [], {}, [[[[]]]], { $ref: '#' }),
);

interface Mood {
  /** True: what the schema says and the rules allow. False: mostly that, at times something else. */
  readonly sound: boolean;
  readonly depth: number;
}

function valueOf(schema: Schema, mood: Mood): fc.Arbitrary<unknown> {
  const good = goodOf(schema, mood);
  return mood.sound ? good : fc.oneof({ weight: 8, arbitrary: good }, { weight: 1, arbitrary: ANYTHING });
}

function goodOf(schema: Schema, mood: Mood): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return valueOf(api.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {}, mood);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.oneOf !== undefined) return fc.oneof(...schema.oneOf.map((one) => valueOf(one, mood)));
  switch (schema.type) {
    case 'string':
      return mood.sound ? fc.constantFrom('room:a', 'room:b') : textOf(schema);
    case 'integer':
      return fc.integer({ min: schema.minimum ?? (mood.sound ? 1 : -5), max: schema.maximum ?? 1000 });
    case 'number':
      return NUMBERS;
    case 'boolean':
      return fc.boolean();
    case 'array':
      return listOf(schema.items ?? {}, mood);
    case 'object':
      return objectOf(schema, mood);
    default:
      return ANYTHING;
  }
}

function textOf({ maxLength = 20 }: Schema): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: CHANNELS },
    { weight: 1, arbitrary: TEXTS },
    { weight: 1, arbitrary: fc.string({ maxLength: maxLength + 1 }) },
    // What stands for nothing, and a cursor of nothing.
    { weight: 2, arbitrary: fc.constantFrom('', '1~') },
  );
}

function listOf(items: Schema, { sound, depth }: Mood): fc.Arbitrary<readonly unknown[]> {
  const one = depth > 4 ? fc.constant(1) : valueOf(items, { sound, depth: depth + 1 });
  return fc.array(one, { minLength: sound ? 1 : 0, maxLength: 2 });
}

function objectOf({ properties = {}, required = [] }: Schema, { sound, depth }: Mood): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, inner]) => [name, valueOf(inner, { sound, depth: depth + 1 })]),
  );
  const known = fc.record(fields, { requiredKeys: [...required] as never[] });
  if (sound) return known;
  return fc.oneof(
    { weight: 9, arbitrary: known },
    { weight: 1, arbitrary: fc.record(fields, { requiredKeys: [] }) },
  );
}

interface Shot {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const HOSTILE_BODIES = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom(
    '',
    '{',
    '[',
    '"',
    'null',
    '1',
    '""',
    '{}',
    '[]',
    '{"a":1}{"b":2}',
    '{"data":}',
    '\ufeff{}',
    '{"event":"e","event":"f","data":1}',
    '['.repeat(100_000),
    `${'{"a":'.repeat(50)}1${'}'.repeat(50)}`,
    '{"data":1e400,"event":"e"}',
    '{"__proto__":{"a":1}}',
    `{"event":"${'e'.repeat(100_000)}"}`,
  ),
);
const CREDENTIALS = fc.oneof(
  { weight: 4, arbitrary: fc.constant(`Bearer ${TEST_API_KEY}`) },
  { weight: 2, arbitrary: fc.constant('user') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer a.b.c',
      'Basic YTpi',
      'Bearer eyJhbGciOiJub25lIn0.e30.',
    ),
  },
);
const TYPES = fc.oneof(
  { weight: 8, arbitrary: fc.constant('application/json') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'text/plain',
      'application/json; charset=utf-16',
      'multipart/form-data',
      'application/x-www-form-urlencoded',
      'application/json; charset="',
      '',
    ),
  },
);

/** A header may hold what is printable; what is not never reaches the server. */
const printable = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 2000);

/** A wait that is a number of seconds would be waited. */
function waitBriefly(query: [string, string][]): void {
  for (const pair of query) if (pair[0] === 'wait' && /^[0-9]/.test(pair[1])) pair[1] = '0.01';
  if (!query.some(([name]) => name === 'wait')) query.push(['wait', '0']);
}

function shotsOf(call: Call): fc.Arbitrary<Shot> {
  return fc.oneof(
    { weight: 1, arbitrary: shotOf(call, { sound: true, depth: 0 }) },
    { weight: 4, arbitrary: shotOf(call, { sound: false, depth: 0 }) },
  );
}

function shotOf({ path, parameters, body }: Call, mood: Mood): fc.Arbitrary<Shot> {
  const { sound } = mood;
  const given = Object.fromEntries(parameters.map(({ name, schema }) => [name, valueOf(schema, mood)]));
  // A cursor is a text to the schema, and a wrong one is refused.
  const names = parameters.filter((one) => sound && (one.in === 'path' || one.name === 'channel'));
  const printed =
    body === undefined
      ? fc.constant(undefined)
      : valueOf(body, mood).map((value) => JSON.stringify(value) ?? 'null');
  return fc
    .record({
      given: sound
        ? fc.record(
            Object.fromEntries(names.map(({ name }) => [name, given[name] ?? fc.constant(undefined)])),
          )
        : fc.record(given, { requiredKeys: [] }),
      extra: sound ? fc.constant(undefined) : fc.option(fc.tuple(TEXTS, TEXTS), { nil: undefined }),
      text:
        sound || body === undefined
          ? printed
          : fc.oneof({ weight: 3, arbitrary: printed }, { weight: 1, arbitrary: HOSTILE_BODIES }),
      credential: sound ? fc.constant(`Bearer ${TEST_API_KEY}`) : CREDENTIALS,
      type: sound ? fc.constant('application/json') : TYPES,
    })
    .map(({ given: chosen, extra: odd, text: sent, credential, type }) => {
      const values = chosen as Readonly<Record<string, unknown>>;
      const query: [string, string][] = odd === undefined ? [] : [odd];
      const headers: Record<string, string> = { 'content-type': type };
      if (credential !== undefined)
        headers['authorization'] = credential === 'user' ? `Bearer ${server.token('ana')}` : credential;
      let target = path;
      for (const parameter of parameters) {
        const value = values[parameter.name];
        if (parameter.in === 'path') {
          const raw = typeof value === 'string' && value !== '' ? value : 'room:a';
          target = target.replace(`{${parameter.name}}`, () => encoded(raw));
        } else if (value !== undefined) {
          const list: readonly unknown[] = Array.isArray(value) ? value : [value];
          const texts = list.map((one) => (typeof one === 'string' ? one : (JSON.stringify(one) ?? '')));
          if (parameter.in === 'query') for (const one of texts) query.push([parameter.name, one]);
          else headers[parameter.name] = printable(texts.join(','));
        }
      }
      if (path === '/poll') waitBriefly(query);
      const search = query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
      return { path: `${target}?${search.join('&')}`.slice(0, 12_000), headers, body: sent };
    });
}

/** Half a character has no UTF-8. */
const encoded = (text: string): string => encodeURIComponent(Buffer.from(text, 'utf8').toString('utf8'));

async function fire(
  method: string,
  { path, headers, body }: Shot,
): Promise<{ status: number; type: string; text: string }> {
  const answer = await fetch(server.url + path, {
    method,
    headers,
    redirect: 'manual',
    signal: AbortSignal.timeout(ANSWER_MS),
    ...(body === undefined ? {} : { body }),
  });
  const type = answer.headers.get('content-type') ?? '';
  if (!type.startsWith('text/event-stream'))
    return { status: answer.status, type, text: await answer.text() };
  await answer.body?.cancel();
  return { status: answer.status, type, text: '' };
}

function expectSound(status: number, type: string, text: string): void {
  expect(status, text).toBeLessThan(500);
  expect(status).toBeGreaterThanOrEqual(200);
  expect(text).not.toMatch(/node_modules|\bat .+:\d+:\d+|"stack"/);
  if (status < 400) return expect([200, 201, 204]).toContain(status);
  expect(type).toMatch(/^application\/problem\+json/);
  const problem = JSON.parse(text) as { status?: unknown; code?: unknown; title?: unknown; retry?: unknown };
  expect(problem).toMatchObject({
    status,
    title: expect.any(String) as unknown,
    retry: expect.any(Boolean) as unknown,
  });
  expect(CODES).toContain(problem.code);
}

describe('every call that is described', { timeout: 120_000 }, () => {
  it('answers what its schema allows and what it does not, and never with a fault of its own', async () => {
    const seen = new Map<string, Set<number>>();
    for (const call of api.calls) {
      const name = `${call.method} ${call.path}`;
      const statuses = new Set<number>();
      seen.set(name, statuses);
      await fc.assert(
        fc.asyncProperty(shotsOf(call), async (shot) => {
          const { status, type, text } = await fire(call.method, shot);
          statuses.add(status);
          expectSound(status, type, text);
        }),
        { numRuns: RUNS },
      );
    }
    // It reached what it was meant to: each call was both carried out and refused.
    for (const [name, statuses] of seen) {
      expect(
        [...statuses].some((status) => status < 300),
        `${name} was never carried out`,
      ).toBe(true);
      expect(
        [...statuses].some((status) => status >= 400),
        `${name} was never refused`,
      ).toBe(true);
    }
  });

  it('answers each method that HTTP has', async () => {
    for (const { path } of api.calls) {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']) {
        if (path === '/sse' && method === 'GET') continue;
        const shot = {
          path: `${path.replaceAll(/\{\w+\}/g, 'room:a')}?wait=0`,
          headers: { authorization: `Bearer ${TEST_API_KEY}` },
          body: undefined,
        };
        const { status, type, text } = await fire(method, shot);
        if (method === 'HEAD') expect(status).toBeLessThan(500);
        else expectSound(status, type, text);
      }
    }
  });

  it('leaves nothing behind', async () => {
    await expect.poll(() => server.stats().sessions, { timeout: 5000 }).toBe(0);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  });
});
