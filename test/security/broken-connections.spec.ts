// Connections that are reset at every stage of a request, a stream, a poll and an upgrade, from the peer's side and as errors of the socket
// itself: the process lives, nobody else notices, and nothing stays behind.

import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { TEST_API_KEY } from '../support/server.js';
import { until } from '../support/wait.js';

const RULES = [
  {
    channel: 'room:{name}',
    subscribe: 'anyone',
    publish: 'anyone',
    presence: true,
    history: { size: 100, ttl: '1m' },
  },
];
let server: E2eServer;
/** The server's side of each connection, newest last. */
const accepted: Socket[] = [];
const faults: unknown[] = [];
const onFault = (error: unknown): void => void faults.push(error);

beforeAll(async () => {
  server = await startE2e({ rules: RULES });
  server.app.getHttpServer().on('connection', (socket) => accepted.push(socket));
  process.prependListener('uncaughtException', onFault).prependListener('unhandledRejection', onFault);
});
afterEach(async () => {
  accepted.length = 0;
  await until(() => server.stats().sessions === 0, 'the sessions to be gone');
  await until(async () => (await server.connections()) === 0, 'the connections to be gone');
  expect(faults).toEqual([]);
  expect((await fetch(`${server.url}/health/ready`, { headers: { connection: 'close' } })).status).toBe(200);
});
afterAll(async () => {
  process.off('uncaughtException', onFault).off('unhandledRejection', onFault);
  await server.close();
});

const KEY = `Authorization: Bearer ${TEST_API_KEY}\r\n`;
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${KEY}\r\n`;
const BODY = '{"event":"e","data":1}';
const post = (body: string, length = BODY.length): string =>
  `POST /api/channels/room:a/messages HTTP/1.1\r\nHost: a\r\n${KEY}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`;
const UPGRADE =
  'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

interface Stage {
  readonly bytes: string;
  /** What must have come before the break; nothing when left out. */
  readonly after?: RegExp;
}

const STAGES: Readonly<Record<string, Stage>> = {
  'before anything': { bytes: '' },
  'in a request line': { bytes: 'GET /p' },
  'in the headers of a poll': { bytes: get('/poll?channel=room:a').slice(0, 40) },
  'right behind the request of a poll': { bytes: get('/poll?channel=room:a&cursor=1~&wait=20') },
  'while a poll waits': {
    bytes: `${get('/poll?channel=room:a&wait=0')}${get('/poll?channel=room:a&wait=20')}`,
    after: /HTTP\/1\.1 200/,
  },
  'behind the answer of a poll': { bytes: get('/poll?channel=room:a&wait=0'), after: /"cursor"/ },
  'right behind the request of a stream': { bytes: get('/sse?channel=room:a') },
  'behind the head of a stream': { bytes: get('/sse?channel=room:a'), after: /HTTP\/1\.1 200/ },
  'behind `ready` of a stream': { bytes: get('/sse?channel=room:a&presence=true'), after: /event: ready/ },
  'of a stream that is refused': { bytes: get('/sse?channel=none:a') },
  'of a stream behind a request': { bytes: get('/health/live') + get('/sse?channel=room:a'), after: /"up"/ },
  'in a body': { bytes: post(BODY.slice(0, 5)) },
  'in a body that is too large': { bytes: post('x'.repeat(1000), 5_000_000) },
  'in a chunk': {
    bytes: post('')
      .replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked')
      .concat('5\r\n{"e'),
  },
  'right behind a publish': { bytes: post(BODY) },
  'behind the answer of a publish': { bytes: post(BODY), after: /"duplicate":false/ },
  'behind ten requests in one segment': { bytes: get('/api/stats').repeat(10) },
  'of a page': {
    bytes: 'GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n',
    after: /HTTP\/1\.1 200/,
  },
  'of the metrics': { bytes: get('/metrics') },
  'after 100 Continue': {
    bytes: post('').replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n'),
    after: /100 Continue/,
  },
  'right behind an upgrade': { bytes: UPGRADE },
  'behind the answer of an upgrade': { bytes: UPGRADE, after: /101 Switching/ },
  'behind the welcome': { bytes: UPGRADE, after: /"welcome"/ },
  'behind an upgrade that is refused': { bytes: UPGRADE.replace('13', '8'), after: /426/ },
  'behind an upgrade with a bad credential': {
    bytes: UPGRADE.replace('\r\n\r\n', '\r\nAuthorization: Bearer a.b.c\r\n\r\n'),
  },
  'behind an upgrade to nothing': { bytes: UPGRADE.replace('/ws', '/none') },
  'behind a refused form': { bytes: get('http://a/').concat(UPGRADE) },
};

/** A peer that has come to the stage, and the server's side of it. */
async function at({ bytes, after }: Stage): Promise<{ peer: Socket; inner: Socket }> {
  const peer = connect(server.port, '127.0.0.1');
  // A reset is an end like another.
  peer.on('error', () => {});
  let text = '';
  peer.on('data', (chunk) => (text += chunk.toString('latin1')));
  await new Promise((resolve) => peer.once('connect', resolve));
  await until(() => accepted.length > 0, 'the server to accept');
  if (bytes !== '') await new Promise((resolve) => peer.write(Buffer.from(bytes, 'latin1'), resolve));
  if (after !== undefined) await until(() => after.test(text), String(after));
  return { peer, inner: accepted.at(-1) as Socket };
}

describe.each(Object.entries(STAGES))('%s', (_name, stage) => {
  it('a reset by the peer harms nobody', async () => {
    const { peer } = await at(stage);
    peer.resetAndDestroy();
  });

  it('an end by the peer harms nobody', async () => {
    const { peer } = await at(stage);
    peer.end();
    // It may still wait for what it asked, so it goes for good in a moment.
    await new Promise((resolve) => setImmediate(resolve));
    peer.destroy();
  });

  it.each(['ECONNRESET', 'EPIPE', 'ETIMEDOUT'])(
    'an error of the socket itself, %s, harms nobody',
    async (code) => {
      const { peer, inner } = await at(stage);
      inner.destroy(Object.assign(new Error(`read ${code}`), { code }));
      peer.destroy();
    },
  );

  it('an error of the socket that comes twice harms nobody', async () => {
    const { peer, inner } = await at(stage);
    inner.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    inner.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    peer.destroy();
  });

  it('a write of the server into a connection that is gone harms nobody', async () => {
    const { peer } = await at(stage);
    peer.resetAndDestroy();
    // Whoever still has a stream, a poll or a socket is written to in this very moment.
    await Promise.all([1, 2, 3].map((data) => server.realtime.publish('room:a', 'e', data)));
  });
});

it('two hundred that break at all stages at once harm nobody', async () => {
  const stages = Object.values(STAGES).filter(({ after }) => after === undefined);
  const peers = await Promise.all(
    Array.from({ length: 200 }, (_, index) => at(stages[index % stages.length] as Stage)),
  );
  for (const { peer } of peers) peer.resetAndDestroy();
});
