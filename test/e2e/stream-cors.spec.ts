// Pages of allowed origins may stream and poll from elsewhere, with what they need to read and to send; pages of others may not.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { poll } from '../support/poll-client.js';
import { disposeStreams, openSse, sseRefused } from '../support/sse-client.js';
import { startStreams, type StreamServer } from '../support/stream-server.js';

const ALLOWED = 'https://app.example';
const FOREIGN = 'https://evil.example';
const HEADERS = ['authorization', 'content-type', 'idempotency-key', 'last-event-id', 'if-none-match'];

let server: StreamServer;
beforeAll(async () => {
  server = await startStreams({ env: { TRUNKLINE_ALLOWED_ORIGINS: ALLOWED } });
});
afterEach(disposeStreams);
afterAll(() => server.close());

const listOf = (value: string | null): readonly string[] =>
  (value ?? '').split(/, */).map((entry) => entry.toLowerCase());

const preflight = (path: string, origin: string): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': HEADERS.join(','),
    },
  });

describe.each(['/sse?channel=room:a', '/poll?channel=room:a', '/api/channels/room%3Aa/messages'])(
  'a preflight of %s',
  (path) => {
    it('from an allowed origin says yes to credentials and to the headers of the protocol', async () => {
      const { status, headers } = await preflight(path, ALLOWED);
      expect([200, 204]).toContain(status);
      expect(headers.get('access-control-allow-origin')).toBe(ALLOWED);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
      expect(listOf(headers.get('access-control-allow-headers'))).toEqual(expect.arrayContaining(HEADERS));
      expect(listOf(headers.get('vary'))).toContain('origin');
    });

    it('from any other origin says nothing', async () => {
      for (const origin of [FOREIGN, 'null', `${ALLOWED}.evil.example`, ALLOWED.replace('https', 'http')]) {
        const { headers } = await preflight(path, origin);
        expect(headers.has('access-control-allow-origin'), origin).toBe(false);
        expect(headers.has('access-control-allow-credentials'), origin).toBe(false);
      }
    });
  },
);

describe('an answer', () => {
  it('of a stream may be read by an allowed origin only', async () => {
    const token = server.token('ana');
    const stream = await openSse(server.url, ['room:a'], { token, headers: { origin: ALLOWED } });
    expect(stream.headers['access-control-allow-origin']).toBe(ALLOWED);
    expect(stream.headers['access-control-allow-credentials']).toBe('true');
    expect(listOf(stream.headers['vary'] ?? '')).toContain('origin');
  });

  it('of a poll lets an allowed origin read its ETag, and a refusal its Retry-After', async () => {
    const { headers } = await poll(server.url, ['room:a'], {
      token: server.token('ana'),
      headers: { origin: ALLOWED },
    });
    expect(headers.get('access-control-allow-origin')).toBe(ALLOWED);
    expect(listOf(headers.get('access-control-expose-headers'))).toEqual(
      expect.arrayContaining(['etag', 'retry-after']),
    );
  });

  it('that is a refusal can be read by an allowed origin as well', async () => {
    const { status, headers } = await sseRefused(server.url, ['nowhere:a'], {
      token: server.token('ana'),
      headers: { origin: ALLOWED },
    });
    expect([status, headers['access-control-allow-origin']]).toEqual([404, ALLOWED]);
  });

  it('to any other origin has no permission in it', async () => {
    const { headers } = await poll(server.url, ['room:a'], {
      token: server.token('ana'),
      headers: { origin: FOREIGN },
    });
    expect(headers.has('access-control-allow-origin')).toBe(false);
  });
});
