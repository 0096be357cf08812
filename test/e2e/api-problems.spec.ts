// Every way a request can fail: its status, its problem+json, and that nothing of the inside shows.

import { connect } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { TrunklineError } from '../../src/core/errors.js';
import { StructuredLogger } from '../../src/ops/logger.js';
import type { Answer, ProblemBody } from '../support/api-client.js';
import { startApi, type ApiServer } from '../support/api-server.js';
import { signToken } from '../support/server.js';
import { until } from '../support/wait.js';

const MESSAGES = '/api/channels/room:p/messages';
const BATCH = '/api/batch';
const note = { event: 'note', data: 1 };
const lines: string[] = [];

let api: ApiServer;

beforeAll(async () => {
  const logger = new StructuredLogger({ logLevel: 'error' }, { write: (line) => void lines.push(line) });
  api = await startApi({}, { logger });
});

afterAll(() => api.close());

afterEach(() => {
  lines.length = 0;
});

/** Each problem has its form and the safe headers, whatever it tells. */
function problemOf(answer: Answer): ProblemBody {
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  const problem = answer.json<ProblemBody>();
  expect(problem).toMatchObject({
    type: 'about:blank',
    title: expect.any(String) as string,
    status: answer.status,
    code: expect.stringMatching(/^[a-z_]+$/) as string,
    retry: expect.any(Boolean) as boolean,
  });
  expect(answer.text).not.toMatch(/node_modules|\.[jt]s\b|\bat \w+ \(|Error:|SyntaxError|Exception/);
  return problem;
}

const facts = (answer: Answer): [number, string] => {
  const { status, code } = problemOf(answer);
  return [status, code];
};

describe('bodies', () => {
  const raw = (body: BodyInit | null, headers: Record<string, string>): Promise<Answer> =>
    api.backend.send('POST', MESSAGES, { body, headers });
  const JSON_TYPE = { 'content-type': 'application/json' };

  it.each([
    '{',
    '{"event":"note"',
    'secret-word',
    '{"event":"note",}',
    "{'event':1}",
    '{"event":"note"}x',
    '7',
    '"text"',
    'true',
  ])('that are no JSON object are 400, and are not repeated: %s', async (body) => {
    const answer = await api.backend.post(MESSAGES, body);
    expect(facts(answer)).toEqual([400, 'invalid_data']);
    expect(answer.text).not.toContain('secret');
  });

  it.each([
    '[]',
    '[{"event":"note"}]',
    '{}',
    '{"event":7}',
    '{"event":null}',
    '{"event":"a b"}',
    '{"event":{"$gt":""}}',
    '{"event":["note"]}',
  ])('that are not what the call takes are 400: %s', async (body) => {
    expect(facts(await api.backend.post(MESSAGES, body))).toEqual([400, 'invalid_data']);
  });

  it('tell every fault with its place', async () => {
    const answer = await api.backend.post(MESSAGES, { event: '', data: 1, key: '"', exceptSession: 5 });
    const { detail, details } = problemOf(answer);
    expect(details?.map(({ path }) => path)).toEqual(['event', 'key', 'exceptSession']);
    expect(detail).toBe(`"event" ${details?.[0]?.message}.`);
  });

  it('that are missing are 400', async () => {
    expect(facts(await raw(null, JSON_TYPE))).toEqual([400, 'invalid_data']);
    expect(facts(await raw(null, {}))).toEqual([400, 'invalid_data']);
    expect(facts(await raw('', JSON_TYPE))).toEqual([400, 'invalid_data']);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/jsonx',
    'text/json',
    '',
  ])('of another type are 415: %s', async (type) => {
    const body = new TextEncoder().encode('{"event":"note","data":1}');
    expect(facts(await raw(body, { 'content-type': type }))).toEqual([415, 'unsupported_media_type']);
  });

  it('are read with a charset parameter of UTF-8 only', async () => {
    const ok = await raw(JSON.stringify(note), { 'content-type': 'application/json; charset=UTF-8' });
    expect(ok.status).toBe(201);
    for (const charset of ['utf-16', 'latin1', 'utf-7', 'x']) {
      const answer = await raw(JSON.stringify(note), {
        'content-type': `application/json; charset=${charset}`,
      });
      expect(facts(answer), charset).toEqual([415, 'unsupported_media_type']);
    }
  });

  it('in an unknown or broken encoding are refused', async () => {
    const broken = await raw('not gzip', { ...JSON_TYPE, 'content-encoding': 'gzip' });
    expect(facts(broken)).toEqual([400, 'invalid_data']);
    const unknown = await raw('{}', { ...JSON_TYPE, 'content-encoding': 'rot13' });
    expect(facts(unknown)).toEqual([415, 'unsupported_media_type']);
  });

  it('that are not UTF-8 are 400', async () => {
    const bytes = Buffer.from('{"event":"note","data":"\xff\xfe"}', 'latin1');
    expect(facts(await raw(bytes, JSON_TYPE))).toEqual([400, 'invalid_data']);
  });

  it('over the limit are 413, also when only their content unfolds', async () => {
    const { gzipSync } = await import('node:zlib');
    const large = `{"event":"note","data":"${'x'.repeat(1_048_576)}"}`;
    expect(facts(await api.backend.post(MESSAGES, large))).toEqual([413, 'too_large']);
    const bomb = await raw(gzipSync(large), { ...JSON_TYPE, 'content-encoding': 'gzip' });
    expect(facts(bomb)).toEqual([413, 'too_large']);
  });

  it('may nest 32 levels', async () => {
    const nested = (levels: number): string =>
      `{"event":"note","data":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    expect((await api.backend.post(MESSAGES, nested(32))).status).toBe(201);
    expect(facts(await api.backend.post(MESSAGES, nested(33)))).toEqual([400, 'invalid_data']);
  });

  // JSON.parse alone would hold the event loop for 200 to 600 ms.
  it.each([MESSAGES, BATCH, '/api/broadcast', '/nowhere'])(
    'of half a million levels are refused before anything parses them: %s',
    async (path) => {
      const parse = vi.spyOn(JSON, 'parse');
      const deep = `{"messages":${'['.repeat(500_000)}${']'.repeat(500_000)}}`;
      expect(facts(await api.stranger.post(path, deep))).toEqual([400, 'invalid_data']);
      expect(parse.mock.calls.filter(([text]) => text.length > 1000)).toEqual([]);
    },
  );
});

describe('callers', () => {
  it('without a credential are told to bring one', async () => {
    const answer = await api.stranger.post(MESSAGES, note);
    expect(facts(answer)).toEqual([401, 'unauthenticated']);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  it.each(['wrong-api-key-0123456789', 'a.b.c', '', 'x'.repeat(9000)])(
    'with a bad credential are refused: %s',
    async (token) => {
      const answer = await api.stranger.as(token).get('/api/stats');
      expect(facts(answer)).toEqual([401, 'unauthenticated']);
      expect(token !== '' && answer.text.includes(token)).toBe(false);
    },
  );

  it('with a bad credential are refused where anyone may come', async () => {
    const answer = await api.stranger
      .as('wrong-api-key-0123456789')
      .post('/api/channels/open:a/messages', note);
    expect(facts(answer)).toEqual([401, 'unauthenticated']);
  });

  it('with a token that has ended are told so', async () => {
    const token = signToken({ sub: 'ana', exp: Math.floor(Date.now() / 1000) - 3600 });
    expect(facts(await api.stranger.as(token).post(MESSAGES, note))).toEqual([401, 'expired']);
  });

  it('on pages of other origins are refused', async () => {
    const answer = await api.backend.post(MESSAGES, note, { origin: 'https://evil.example' });
    expect(facts(answer)).toEqual([403, 'forbidden']);
  });
});

describe('routes that are not there', () => {
  it.each([
    '/nowhere',
    '/api',
    '/api/',
    '/api/nothing',
    '/api/channels/a/b/c',
    '/docs/nothing',
    '/docs/package.json',
  ])('are 404 and do not repeat the path: %s', async (path) => {
    const answer = await api.backend.get(`${path}?x=secret-word`);
    expect(facts(answer)).toEqual([404, 'not_found']);
    expect(answer.text).not.toMatch(/secret|nowhere|api|docs|Cannot/);
  });

  it.each([
    ['PUT', MESSAGES],
    ['DELETE', '/api/stats'],
    ['PATCH', '/api/sessions'],
    ['POST', '/api/users/ana/sessions'],
    ['POST', '/docs/json'],
  ])('by method as well: %s %s', async (method, path) => {
    expect(facts(await api.backend.send(method, path, {}))).toEqual([404, 'not_found']);
  });

  it.each(['/%', '/%ff', '/api/%zz', '/docs/%ff'])('or whose path is malformed: %s', async (path) => {
    const answer = await api.backend.get(path);
    expect([400, 404]).toContain(problemOf(answer).status);
  });
});

describe('failures inside', () => {
  it.each([
    ['POST', MESSAGES, 'publishRaw'],
    ['GET', MESSAGES, 'history'],
    ['GET', '/api/channels/room:p/members', 'members'],
    ['DELETE', '/api/users/ana/sessions', 'disconnect'],
  ] as const)('are 500 without their cause, which the log has: %s %s', async (method, path, does) => {
    vi.spyOn(api.server.realtime, does).mockRejectedValue(new Error('the inner secret'));
    const answer =
      method === 'POST' ? await api.backend.post(path, note) : await api.backend.send(method, path, {});
    expect(problemOf(answer)).toMatchObject({ status: 500, code: 'internal', retry: true });
    expect(answer.text).not.toContain('secret');
    expect(lines.join('')).toContain('the inner secret');
    expect(lines.join('')).toContain(`${method} ${path} failed.`);
  });

  it('that are thrown at once are 500 as well', async () => {
    vi.spyOn(api.server.realtime, 'stats').mockImplementation(() => {
      throw new TypeError('the inner secret');
    });
    expect(facts(await api.backend.get('/api/stats?token=query-secret'))).toEqual([500, 'internal']);
    expect(lines.join('')).toContain('the inner secret');
    expect(lines.join('')).not.toContain('query-secret');
  });

  it('of one message of many are told for that one, and logged', async () => {
    vi.spyOn(api.server.realtime, 'publishRaw').mockRejectedValueOnce(new Error('the inner secret'));
    const message = { channel: 'room:p', ...note };
    const answer = await api.backend.post(BATCH, { messages: [message, message] });
    const { results } = answer.json<{ results: { ok: boolean; error?: { code: string } }[] }>();
    expect(results.map(({ ok, error }) => [ok, error?.code])).toEqual([
      [false, 'internal'],
      [true, undefined],
    ]);
    expect(answer.text).not.toContain('secret');
    expect(lines.join('')).toContain('the inner secret');
  });

  it.each([
    ['unavailable', 503],
    ['unknown_outcome', 504],
  ] as const)('of the backplane keep their code and say when to come back: %s', async (code, status) => {
    const error = new TrunklineError(code, 'The store is away.', { retryAfterMs: 1200 });
    vi.spyOn(api.server.realtime, 'publishRaw').mockRejectedValue(error);
    const answer = await api.backend.post(MESSAGES, note);
    expect(problemOf(answer)).toMatchObject({
      status,
      code,
      retry: true,
      retryAfterMs: 1200,
      detail: 'The store is away.',
    });
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(lines).toEqual([]);
  });
});

describe('rates', () => {
  it('over the bound are 429 with the time to wait', async () => {
    const limited = await startApi({ TRUNKLINE_MESSAGE_RATE: '1/1h' });
    const ana = limited.user('ana');
    const answers = [
      await ana.post(MESSAGES, note),
      await ana.post(MESSAGES, note),
      await ana.post(MESSAGES, '{'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 400]);
    const refused = await ana.post(MESSAGES, note);
    const { code, retry, retryAfterMs = 0 } = problemOf(refused);
    expect([refused.status, code, retry]).toEqual([429, 'rate_limited', true]);
    expect(refused.headers.get('retry-after')).toBe(String(Math.ceil(retryAfterMs / 1000)));
    expect((await limited.backend.post(MESSAGES, note)).status).toBe(201);
    await limited.close();
  });
});

describe('answers', () => {
  it('under /api are never stored, never sniffed, and say nothing of the server', async () => {
    for (const path of [MESSAGES, '/api/stats', '/api/channels', '/api/sessions', '/api/nothing']) {
      const { headers } = await api.backend.get(path);
      expect(headers.get('cache-control'), path).toBe('no-store');
      expect(headers.get('x-content-type-options'), path).toBe('nosniff');
      expect(headers.get('vary'), path).toBe('Origin, Cookie, Authorization');
      expect(
        [headers.get('etag'), headers.get('x-powered-by'), headers.get('access-control-allow-origin')],
        path,
      ).toEqual([null, null, null]);
    }
  });

  it.each([
    ['400 Bad Request', `POST ${MESSAGES}`, 'Content-Type: application/json\r\nContent-Length: 1', '{'],
    [
      '400 Bad Request',
      'POST /api/channels/%ff/messages',
      'Content-Type: application/json\r\nContent-Length: 2',
      '{}',
    ],
    ['401 Unauthorized', 'GET /api/stats', 'Authorization: Bearer wrong', ''],
    ['404 Not Found', 'GET /nowhere', 'Accept: */*', ''],
    ['415 Unsupported Media Type', `POST ${MESSAGES}`, 'Content-Type: text/plain\r\nContent-Length: 2', '{}'],
    [
      '401 Unauthorized',
      `POST ${BATCH}`,
      'Content-Type: application/json\r\nTransfer-Encoding: chunked',
      '0\r\n\r\n',
    ],
  ])('end the connection when asked to: %s to %s', async (status, line, header, body) => {
    const socket = connect(api.server.port, '127.0.0.1');
    socket.write(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${header}\r\n\r\n${body}`);
    const answer = await textOf(socket);
    expect(answer.split('\r\n', 1)[0]).toBe(`HTTP/1.1 ${status}`);
    expect(answer).toContain('application/problem+json');
  });

  it('go on after a client that left in the middle of its body', async () => {
    const before = await api.server.connections();
    const socket = connect(api.server.port, '127.0.0.1');
    const head = `POST ${MESSAGES} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100`;
    socket.write(`${head}\r\n\r\n{"event"`);
    await until(async () => (await api.server.connections()) > before);
    socket.destroy();
    await until(async () => (await api.server.connections()) <= before);
    expect((await api.backend.get('/api/stats')).status).toBe(200);
    expect(lines).toEqual([]);
  });
});
