// /docs: an OpenAPI 3.1 document that is true to the routes and the answers, and a page that works under its own policy.

import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../support/api-client.js';
import { listen } from '../support/api-listener.js';
import { startApi, type ApiServer } from '../support/api-server.js';
import { chromiumPath } from '../support/system.js';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
}
interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly requestBody?: unknown;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: object;
  };
  readonly security: unknown;
}

let api: ApiServer;
let document: Document;

beforeAll(async () => {
  api = await startApi();
  document = (await api.stranger.get('/docs/json')).json<Document>();
});

afterAll(() => api.close());

const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation]),
  );

/** What parts a value and its schema: missing, unknown and mistyped properties, by their place. */
function faults(value: unknown, schema: Schema, place = '$'): string[] {
  if (schema.$ref !== undefined) {
    const named = document.components.schemas[schema.$ref.replace('#/components/schemas/', '')];
    return named === undefined ? [`${place}: no schema ${schema.$ref}`] : faults(value, named, place);
  }
  if (schema.oneOf !== undefined) {
    const each = schema.oneOf.map((option) => faults(value, option, place));
    return each.some((list) => list.length === 0) ? [] : each.flat();
  }
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return [`${place}: not one of ${schema.enum.join()}`];
  const type = Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  if (schema.type !== undefined && schema.type !== type) return [`${place}: ${type}, not ${schema.type}`];
  if (Array.isArray(value))
    return value.flatMap((item, i) => faults(item, schema.items ?? {}, `${place}[${i}]`));
  const { properties } = schema;
  if (properties === undefined) return [];
  const fields = value as Record<string, unknown>;
  return [
    ...(schema.required ?? []).filter((name) => !(name in fields)).map((name) => `${place}.${name}: missing`),
    ...Object.entries(fields).flatMap(([name, inner]) => {
      const known = properties[name];
      return known === undefined
        ? [`${place}.${name}: not described`]
        : faults(inner, known, `${place}.${name}`);
    }),
  ];
}

describe('the document', () => {
  it('is OpenAPI 3.1 of this version', async () => {
    expect(document.openapi).toBe('3.1.0');
    const { version } = (await import('../../package.json', { with: { type: 'json' } })).default;
    expect(document.info.version).toBe(version);
    expect(document.security).toEqual([{ credential: [] }]);
    expect(document.components.securitySchemes).toMatchObject({
      credential: { type: 'http', scheme: 'bearer' },
    });
  });

  it('has the calls of the contract, each described', () => {
    const calls = operations();
    expect(calls.map(([call]) => call).toSorted()).toEqual(
      [
        'delete /api/users/{user}/sessions',
        'get /api/channels',
        'get /api/channels/{channel}/members',
        'get /api/channels/{channel}/messages',
        'get /api/sessions',
        'get /api/stats',
        'get /poll',
        'get /sse',
        'post /api/batch',
        'post /api/broadcast',
        'post /api/channels/{channel}/messages',
        'post /api/dev/tokens',
        'post /api/tickets',
        'post /api/users/{user}/revocations',
      ].toSorted(),
    );
    for (const [call, { summary, tags, requestBody, responses, parameters = [] }] of calls) {
      expect(summary, call).toBeTypeOf('string');
      expect(tags, call).toHaveLength(1);
      expect(requestBody !== undefined, call).toBe(call.startsWith('post'));
      expect(
        Object.keys(responses).some((status) => status.startsWith('2')),
        call,
      ).toBe(true);
      const named = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => `{${name}}`);
      expect(named, call).toEqual(call.match(/\{\w+\}/g) ?? []);
    }
    expect(new Set(calls.map(([, { operationId }]) => operationId)).size).toBe(calls.length);
  });

  it('refers only to schemas it has, and has none that nothing refers to', () => {
    const text = JSON.stringify(document);
    const referred = new Set(
      [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name = '']) => name),
    );
    expect([...referred].toSorted()).toEqual(Object.keys(document.components.schemas).toSorted());
  });

  it('names the query and header parameters', () => {
    const named = (path: string, method: string): string[] =>
      (document.paths[path]?.[method]?.parameters ?? []).map(({ name }) => name).toSorted();
    expect(named('/api/channels/{channel}/messages', 'get')).toEqual([
      'channel',
      'limit',
      'reverse',
      'since',
    ]);
    expect(named('/api/channels/{channel}/messages', 'post')).toEqual(['Idempotency-Key', 'channel']);
    expect(named('/api/sessions', 'get')).toEqual(['user']);
    expect(named('/sse', 'get')).toEqual(['Last-Event-ID', 'channel', 'cursor', 'presence']);
    expect(named('/poll', 'get')).toEqual(['If-None-Match', 'channel', 'cursor', 'wait']);
  });

  it('leaves out what production has not', async () => {
    const production = await startApi({
      NODE_ENV: 'production',
      TRUNKLINE_ALLOWED_ORIGINS: 'https://app.example',
    });
    const { paths } = (await production.stranger.get('/docs/json')).json<Document>();
    await production.close();
    expect(Object.keys(paths)).not.toContain('/api/dev/tokens');
    expect(Object.keys(paths)).toContain('/api/batch');
  });
});

describe('answers', () => {
  const MESSAGES = '/api/channels/room:docs/messages';
  const check = (call: [method: string, path: string], answer: Answer): void => {
    const [method, path] = call;
    const media = answer.headers.get('content-type')?.split(';')[0] ?? '';
    const described = document.paths[path]?.[method]?.responses[answer.status]?.content?.[media];
    expect(described, `${method} ${path} ${answer.status} ${media}`).toBeDefined();
    expect(faults(answer.json(), described?.schema ?? {}), `${method} ${path} ${answer.status}`).toEqual([]);
  };

  it('are as described', async () => {
    const { backend } = api;
    const ana = await listen(api.server.wsUrl, api.server.token('ana', { name: 'Ana' }), 'room:docs');
    const channel = '/api/channels/{channel}/messages';
    const message = { event: 'note', data: { n: 1 }, key: 'k' };
    check(['post', channel], await backend.post(MESSAGES, message));
    for (const body of [{}, { tokenId: 'x' }, { before: 'x' }])
      check(
        ['post', '/api/users/{user}/revocations'],
        await backend.post('/api/users/revoked/revocations', body),
      );
    check(['post', channel], await api.user('ana', { name: 'Ana' }).post(MESSAGES, message));
    check(['post', channel], await backend.post(MESSAGES, { event: '' }));
    check(['post', channel], await api.stranger.post(MESSAGES, message));
    check(['post', channel], await backend.post('/api/channels/nowhere:a/messages', message));
    check(['get', channel], await backend.get(MESSAGES));
    check(['get', channel], await backend.get(`${MESSAGES}?limit=0`));
    check(['get', '/api/channels/{channel}/members'], await backend.get('/api/channels/room:docs/members'));
    check(['get', '/api/channels'], await backend.get('/api/channels'));
    check(['get', '/api/sessions'], await backend.get('/api/sessions'));
    check(['get', '/api/stats'], await backend.get('/api/stats'));
    check(['get', '/api/stats'], await api.user('ana').get('/api/stats'));
    const messages = [{ channel: 'room:docs', ...message }, 5, { channel: 'nowhere:a', ...message }];
    check(['post', '/api/batch'], await backend.post('/api/batch', { messages }));
    check(
      ['post', '/api/broadcast'],
      await backend.post('/api/broadcast', { channels: ['room:docs', ''], ...message }),
    );
    check(['post', '/api/dev/tokens'], await api.stranger.post('/api/dev/tokens', { user: 'ana' }));
    ana.close();
  });

  it('of a poll are as described, and a stream has the media type that is', async () => {
    const { backend, stranger } = api;
    const poll = ['get', '/poll'] as [string, string];
    const cursorOf = (answer: Answer): string => answer.json<{ cursor: string }>().cursor;
    const first = await backend.get('/poll?channel=room:polled&wait=0');
    check(poll, first);
    await backend.post('/api/channels/room:polled/messages', { event: 'note', data: 1, key: 'k' });
    const second = await backend.get(`/poll?channel=room:polled&wait=0&cursor=${cursorOf(first)}`);
    check(poll, second);
    expect(second.json<{ messages: unknown[] }>().messages).toHaveLength(1);
    const gone = cursorOf(second).replace(/![^.]+/, '!another');
    const third = await backend.get(`/poll?channel=room:polled&wait=0&cursor=${gone}`);
    check(poll, third);
    expect(third.json<{ gaps: unknown[] }>().gaps).toHaveLength(1);
    for (const path of ['/poll', '/sse?channel=%20', '/sse?channel=nowhere:a', '/poll?channel=nowhere:a'])
      check(['get', path.split('?')[0] ?? ''], await backend.get(path));
    for (const path of ['/sse', '/poll?channel=room:docs'])
      check(['get', path.split('?')[0] ?? ''], await stranger.get(path));
    const abort = new AbortController();
    const stream = await fetch(`${api.server.url}/sse?channel=open:docs`, { signal: abort.signal });
    const media = stream.headers.get('content-type')?.split(';')[0] ?? '';
    expect(document.paths['/sse']?.['get']?.responses[stream.status]?.content).toHaveProperty([media]);
    abort.abort();
  });

  it('would be found out when they were not', () => {
    const schema = document.components.schemas['PublishResult'] ?? {};
    const good = { channel: 'a', epoch: 'e', offset: 1, id: 'i', duplicate: false };
    expect(faults(good, schema)).toEqual([]);
    expect(faults({ ...good, offset: '1' }, schema)).toHaveLength(1);
    expect(faults({ ...good, more: 1 }, schema)).toHaveLength(1);
    expect(faults({ ...good, id: undefined, channel: 'a' }, schema)).toHaveLength(1);
  });
});

describe('the page', () => {
  it('is served with and without a slash, with a policy that lets no inline script run', async () => {
    for (const [path, base] of [
      ['/docs', './docs/'],
      ['/docs/', './'],
    ] as const) {
      const { status, headers, text } = await api.stranger.get(path);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toContain('text/html');
      expect(headers.get('content-security-policy')).toContain("script-src 'self';");
      expect(text).toContain(`src="${base}swagger-ui-bundle.js"`);
      expect(text).not.toMatch(/<script>|<style>| on\w+=/);
    }
  });

  it('shows every call in a browser, makes one, breaks no policy and asks no server outside', async () => {
    const browser = await chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage();
      const complaints: string[] = [];
      const asked = new Set<string>();
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('request', (request) => asked.add(new URL(request.url()).host));
      await page.goto(`${api.server.url}/docs`);
      await page.locator('#operations-development-devToken').click();
      await page.getByRole('button', { name: 'Try it out' }).click();
      await page.getByRole('button', { name: 'Execute' }).click();
      const answer = page.locator('.live-responses-table .response-col_status').last();
      await answer.waitFor();
      expect(await answer.textContent()).toContain('201');
      expect(await page.locator('.opblock').count()).toBe(operations().length);
      expect([...asked].filter((host) => host !== '')).toEqual([`127.0.0.1:${api.server.port}`]);
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
