// A process that is spoken to by every way to log in, well and badly, with secrets we know; then everything it said is searched for them: its
// log at its loudest, its answers, its closes, its metrics, and the log of the proxy in front. Knows no way by which one might get out.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killProcesses, startProcess, type ServerProcess } from '../support/processes.js';
import { startProxy, type Proxy } from '../support/proxies.js';
import { RawSocket, upgradeRequest } from '../support/raw-socket.js';
import { signToken, TEST_SECRET } from '../support/server.js';
import { connect, disposeClients } from '../support/ws-client.js';

const KEYS = { text: 'api-key-of-the-environment-4f1c', file: 'api-key-of-the-file-93ab77' };
const OTHER_SECRET = 'another-secret-that-is-long-enough-0123';
/** Every secret that was given or taken, with the part of it that nobody else has. */
const secrets = new Map<string, string>(Object.entries({ ...KEYS, 'the secret of tokens': TEST_SECRET }));
/** Everything heard, by where. */
const heard = new Map<string, string>();
const hear = (where: string, text: string): void => void heard.set(where, (heard.get(where) ?? '') + text);

function token(name: string, claims: object = {}, secret = TEST_SECRET): string {
  const made = signToken(
    { sub: name.replaceAll(' ', '-'), jti: `jti-${name}`.replaceAll(' ', '-'), ...claims },
    secret,
  );
  secrets.set(name, made.split('.')[2] as string);
  return made;
}

let server: ServerProcess;
let proxy: Proxy;
const folder = mkdtempSync(join(tmpdir(), 'trunkline-secrets-'));

async function ask(path: string, init: RequestInit = {}, base = server.url): Promise<Response> {
  const answer = await fetch(base + path, { ...init, redirect: 'manual', signal: AbortSignal.timeout(8000) });
  const head = JSON.stringify([...answer.headers]);
  if (answer.headers.get('content-type')?.startsWith('text/event-stream') === true) {
    const reader = answer.body?.getReader();
    const first = await reader?.read();
    hear(path, head + Buffer.from((first?.value as Uint8Array | undefined) ?? []).toString());
    await reader?.cancel();
  } else hear(`${init.method ?? 'GET'} ${path.slice(0, 20)}`, head + (await answer.clone().text()));
  return answer;
}

const bearer = (secret: string): RequestInit => ({ headers: { authorization: `Bearer ${secret}` } });

/** All that a socket says from the first byte to the last, its close frame too. */
async function socket(
  name: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  frames: readonly object[] = [],
): Promise<void> {
  const raw = await RawSocket.open(server.port);
  raw.tcp.on('data', (chunk: Buffer) => hear(`the socket of ${name}`, chunk.toString('latin1')));
  const reply = await raw.upgrade({ path, headers });
  if (reply.status === 101) {
    for (const frame of frames) raw.send(frame);
    raw.send({ event: 'ping', id: 'last' });
    await raw.reply('last').catch(() => undefined);
  }
  raw.dispose();
}

async function ticket(name: string): Promise<string> {
  const answer = await fetch(`${server.url}/api/tickets`, {
    method: 'POST',
    ...bearer(token(`${name} gave`)),
  });
  const { ticket: made } = (await answer.json()) as { readonly ticket: string };
  secrets.set(name, made.slice('tkt_'.length));
  return made;
}

/** Good and bad, on every transport, in every place a credential may be put, and in those where it may not. */
async function everyWay(): Promise<void> {
  const origin = `http://127.0.0.1:${server.port}`;
  const bad = (name: string): string => token(name, {}, OTHER_SECRET);
  const late = token('late', { exp: Math.floor(Date.now() / 1000) - 600 });
  for (const [kind, make] of [
    ['good', token],
    ['bad', bad],
  ] as const) {
    await socket(`${kind} header`, '/ws', { Authorization: `Bearer ${make(`${kind} ws header`)}` });
    await socket(`${kind} cookie`, '/ws', {
      Cookie: `trunkline_token=${make(`${kind} ws cookie`)}`,
      Origin: origin,
    });
    await socket(`${kind} protocol`, '/ws', {
      'Sec-WebSocket-Protocol': `trunkline.v1, bearer.${make(`${kind} ws protocol`)}`,
    });
    await socket(`${kind} query`, `/ws?token=${make(`${kind} ws query`)}`, {});
    await socket(`${kind} frame`, '/ws', {}, [
      { event: 'authenticate', id: 1, data: { token: make(`${kind} ws frame`) } },
    ]);
    for (const path of [
      '/sse?channel=chat:a',
      '/poll?channel=chat:a&wait=0',
      '/api/channels/chat:a/messages',
      '/api/stats',
    ]) {
      await ask(path, bearer(make(`${kind} header ${path}`)));
      await ask(path, { headers: { cookie: `trunkline_token=${make(`${kind} cookie ${path}`)}` } });
      await ask(`${path}${path.includes('?') ? '&' : '?'}token=${make(`${kind} query ${path}`)}`);
      await ask(
        `${path}${path.includes('?') ? '&' : '?'}ticket=${kind === 'good' ? await ticket(`ticket ${path}`) : `tkt_${'A'.repeat(43)}`}`,
      );
    }
  }
  await socket('ticket', `/ws?ticket=${await ticket('ws ticket')}`, {});
  const twice = await ticket('ticket twice');
  for (let at = 0; at < 2; at++) await socket('ticket twice', `/ws?ticket=${twice}`, {});
  await ask('/api/stats', bearer(late));
  await socket('late', '/ws', { Authorization: `Bearer ${late}` });
  // Where they do not belong: names, payloads, paths, other headers, and requests that break off.
  const lost = token('lost');
  await socket('lost', '/ws', { Authorization: `Bearer ${token('lost owner')}` }, [
    { event: lost.slice(0, 60), id: 1, data: { token: lost } },
    { event: 'subscribe', id: lost, data: { channel: lost, since: lost } },
    { event: 'publish', id: 2, data: { channel: 'chat:a', event: lost, data: lost } },
    { event: 'authenticate', id: 3, data: { token: lost, more: lost } },
  ]);
  await ask(`/nowhere/${lost}?access_token=${lost}`);
  await ask(`/api/channels/${lost}/messages`, { ...bearer(KEYS.text), method: 'POST', body: `{"${lost}"` });
  await ask('/health/live', {
    headers: { referer: `${server.url}/?token=${lost}`, 'user-agent': lost, 'x-forwarded-for': lost },
  });
  for (const key of Object.values(KEYS)) {
    await ask('/api/stats', bearer(key));
    await ask('/api/stats', bearer(`${key}x`));
    await ask(`/api/stats?key=${key}&api_key=${key}`);
    await ask('/api/dev/tokens', {
      ...bearer(key),
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"user":${JSON.stringify(key)}x}`,
    });
    await socket('key', '/ws', { Authorization: `Bearer ${key}` });
    await socket('key by protocol', '/ws', { 'Sec-WebSocket-Protocol': `trunkline.v1, bearer.${key}` });
    await socket('key in a frame', '/ws', {}, [{ event: 'authenticate', id: 1, data: { token: key } }]);
  }
  await ask('/api/users/victim/revocations', {
    ...bearer(KEYS.text),
    method: 'POST',
    headers: { authorization: `Bearer ${KEYS.text}`, 'content-type': 'application/json' },
    body: '{}',
  });
  const broken = await RawSocket.open(server.port);
  broken.write(
    upgradeRequest(server.port, { headers: { Authorization: `Bearer ${token('broken')}` } }).slice(0, -2),
  );
  broken.dispose();
  // Behind a proxy the address is written down.
  for (const path of ['/poll?channel=chat:a&wait=0', '/sse?channel=chat:a', '/api/stats?x=1'])
    for (const name of ['token', 'ticket'])
      await ask(
        `${path}&${name}=${name === 'token' ? token(`proxied ${path}`) : await ticket(`proxied ticket ${path}`)}`,
        {},
        proxy.url,
      );
  await (await connect(`${proxy.wsUrl}?token=${token('proxied ws')}`)).close();
  await ask('/metrics');
}

beforeAll(async () => {
  const file = join(folder, 'keys.json');
  const digest = createHash('sha256').update(KEYS.file).digest('hex');
  writeFileSync(file, JSON.stringify([{ name: 'from-a-file', sha256: digest, scopes: ['publish', 'read'] }]));
  server = await startProcess({
    TRUNKLINE_LOG_LEVEL: 'trace',
    TRUNKLINE_DRAIN_MS: '0',
    TRUNKLINE_API_KEYS: KEYS.text,
    TRUNKLINE_API_KEYS_FILE: file,
    TRUNKLINE_QUERY_TOKENS: 'on',
    TRUNKLINE_FAILED_LOGIN_RATE: '0',
    TRUNKLINE_MAX_SESSIONS_PER_USER: '0',
  });
  proxy = await startProxy('nginx', [server.port, server.port, server.port]);
  await everyWay();
  disposeClients();
  hear('the log of nginx', proxy.log());
  await proxy.stop();
  await server.kill('SIGTERM');
  hear('the output of the process', server.output);
}, 120_000);
afterAll(async () => {
  await killProcesses();
  rmSync(folder, { recursive: true });
});

describe('of everything that was said', () => {
  it('there is enough to look at', () => {
    expect(secrets.size).toBeGreaterThan(50);
    expect(heard.size).toBeGreaterThan(20);
    for (const where of ['the output of the process', 'the log of nginx', 'GET /metrics'])
      expect(heard.get(where)?.length, where).toBeGreaterThan(500);
    expect(heard.get('the socket of good header')).toContain('"welcome"');
    expect(heard.get('the socket of good query')).toContain('"user"');
  });

  it('nothing has a secret in it, whole or in its last part', () => {
    const found: string[] = [];
    for (const [where, text] of heard)
      for (const [name, secret] of secrets) {
        // The answer to its own owner is where a token of the demo and a ticket are given; here they were read elsewhere.
        if (
          text.includes(secret) ||
          text.includes(encodeURIComponent(secret)) ||
          text.includes(Buffer.from(secret).toString('base64'))
        )
          found.push(`${name} in ${where}`);
      }
    expect(found).toEqual([]);
  });

  it('the log is one JSON object a line, without control or format characters', () => {
    const lines = server.output.split('\n').filter((line) => line.startsWith('{'));
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String) as unknown });
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }
  });
});
