// Every limit over real sockets: who is over it is refused with its code and told when to come back, it is counted under its name, and in
// a dry run it counts and lets everybody pass.

import { afterEach, describe, expect, it } from 'vitest';
import { LIMITS, type LimitName } from '../../src/core/ports/limits.js';
import { Connections } from '../../src/limits/connections.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { RawSocket, type WireFrame } from '../support/raw-socket.js';
import { TEST_API_KEY } from '../support/server.js';
import { until } from '../support/wait.js';

const RULES = [
  { channel: 'room:{name}', subscribe: 'anyone', publish: 'anyone', history: { size: 10, ttl: '1m' } },
  { channel: 'slow:{name}', subscribe: 'anyone', publish: 'anyone', publishRate: '1/1h' },
];

/** What came of the last of several acts. */
type Outcome =
  | 'passed'
  | 'closed unread'
  | { readonly status?: number; readonly close?: number; readonly code?: string; readonly waits: boolean };

interface Case {
  readonly limit: LimitName;
  readonly env: Record<string, string>;
  /** Does what the limit allows, and once more; the outcome of that. */
  readonly over: (server: E2eServer) => Promise<Outcome>;
  readonly refused: Outcome;
}

const sockets: RawSocket[] = [];
let server: E2eServer;
async function open(headers: Record<string, string> = {}): Promise<{ raw: RawSocket; outcome: Outcome }> {
  const raw = await RawSocket.open(server.port);
  sockets.push(raw);
  const { status, headers: answered, body } = await raw.upgrade({ headers });
  if (status === 101) {
    await raw.push('welcome');
    return { raw, outcome: 'passed' };
  }
  const { code, retryAfterMs } = JSON.parse(body) as { code: string; retryAfterMs?: number };
  const seconds = Number(answered.get('retry-after') ?? 0);
  expect(seconds).toBe(Math.ceil((retryAfterMs ?? 0) / 1000));
  return { raw, outcome: { status, code, waits: seconds > 0 } };
}

const as = (user: string): Record<string, string> => ({ Authorization: `Bearer ${server.token(user)}` });
const at = (address: string): Record<string, string> => ({ 'X-Forwarded-For': address });

function told({ event, data }: WireFrame): Outcome {
  if (event === 'ok') return 'passed';
  return { code: String(data['code']), waits: Number(data['retryAfterMs']) > 0 };
}

async function call(path: string, headers: Record<string, string> = {}, body?: object): Promise<Outcome> {
  const response = await fetch(`${server.url}${path}`, {
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  if (response.ok) return 'passed';
  const { code } = (await response.json()) as { code: string };
  return { status: response.status, code, waits: Number(response.headers.get('retry-after')) > 0 };
}

/** Acts one after another; the outcome of the last, when all before it have passed. */
async function last(acts: readonly (() => Promise<Outcome>)[]): Promise<Outcome> {
  let outcome: Outcome = 'passed';
  for (const act of acts) {
    expect(outcome).toBe('passed');
    outcome = await act();
  }
  return outcome;
}

const times = (count: number, act: () => Promise<Outcome>): Promise<Outcome> =>
  last(Array.from({ length: count }, () => act));

async function counted(limit: LimitName): Promise<{ refused: number; dryRun: number }> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const read = (outcome: string): number =>
    Number(
      new RegExp(`^trunkline_limit_hits_total\\{limit="${limit}",outcome="${outcome}"\\} (\\d+)$`, 'm').exec(
        text,
      )?.[1],
    );
  return { refused: read('refused'), dryRun: read('dry_run') };
}

const HISTORY = '/api/channels/room:a/messages';
const PUBLISH = { channel: 'room:a', event: 'tick', data: 1 };
const RATE_LIMITED = { status: 429, code: 'rate_limited', waits: true } as const;
const UNAVAILABLE = { status: 503, code: 'unavailable', waits: true } as const;
const TOLD_TO_WAIT = { code: 'rate_limited', waits: true } as const;
const PROXY = { TRUNKLINE_TRUSTED_PROXIES: '127.0.0.1' };

const CASES: readonly Case[] = [
  {
    limit: 'connections',
    env: { TRUNKLINE_MAX_CONNECTIONS_PER_ADDRESS: '2' },
    over: async () => {
      const outcome = await times(3, async (): Promise<Outcome> => {
        const raw = await RawSocket.open(server.port);
        sockets.push(raw);
        const reply = await raw.upgrade().catch(() => undefined);
        if (reply !== undefined)
          return reply.status === 101 ? 'passed' : { status: reply.status, waits: false };
        await raw.waitForClose();
        return 'closed unread';
      });
      // The figures are asked for over a connection too.
      for (const raw of sockets.splice(0)) raw.dispose();
      await until(() => server.app.get(Connections).size === 0, 'room');
      return outcome;
    },
    refused: 'closed unread',
  },
  {
    limit: 'connects',
    env: { TRUNKLINE_CONNECT_RATE: '1/1h' },
    over: () => times(3, async () => (await open(as('ana'))).outcome),
    refused: RATE_LIMITED,
  },
  {
    limit: 'total_connects',
    env: { TRUNKLINE_TOTAL_CONNECT_RATE: '1/1h', ...PROXY },
    over: () => last(['8.8.8.1', '8.8.8.2', '8.8.8.3'].map((ip) => async () => (await open(at(ip))).outcome)),
    refused: UNAVAILABLE,
  },
  {
    limit: 'strangers',
    env: { TRUNKLINE_MAX_STRANGERS_PER_ADDRESS: '2' },
    over: () => times(3, async () => (await open()).outcome),
    refused: RATE_LIMITED,
  },
  {
    limit: 'total_strangers',
    env: { TRUNKLINE_MAX_STRANGERS: '2', ...PROXY },
    over: () => last(['8.8.8.1', '8.8.8.2', '8.8.8.3'].map((ip) => async () => (await open(at(ip))).outcome)),
    refused: UNAVAILABLE,
  },
  {
    limit: 'stranger_bytes',
    env: {},
    over: async () => {
      const { raw } = await open();
      raw.send({ event: 'ping', id: 1, data: { pad: 'x'.repeat(4096) } });
      return raw
        .reply(1)
        .then(told, async () => ({ close: (await raw.waitForClose()).code ?? 0, waits: false }));
    },
    refused: { close: 1009, waits: false },
  },
  {
    limit: 'failed_logins',
    env: { TRUNKLINE_FAILED_LOGIN_RATE: '1/1h' },
    over: async () => {
      for (let i = 0; i < 2; i++)
        expect((await open({ Authorization: 'Bearer wrong' })).outcome).toMatchObject({ status: 401 });
      return (await open(as('ana'))).outcome;
    },
    refused: RATE_LIMITED,
  },
  {
    limit: 'sessions',
    env: { TRUNKLINE_MAX_SESSIONS: '1' },
    over: () => times(2, async () => (await open(as('ana'))).outcome),
    refused: UNAVAILABLE,
  },
  {
    limit: 'sessions_per_user',
    env: { TRUNKLINE_MAX_SESSIONS_PER_USER: '1' },
    over: () => times(2, async () => (await open(as('ana'))).outcome),
    refused: { status: 429, code: 'limit_exceeded', waits: true },
  },
  {
    limit: 'channels',
    env: { TRUNKLINE_MAX_CHANNELS_PER_SESSION: '1' },
    over: async () => {
      const { raw } = await open(as('ana'));
      const join = (channel: string) => async () => told(await raw.request('subscribe', { channel }));
      return last([join('room:a'), join('room:b')]);
    },
    // It does not pass by waiting.
    refused: { code: 'limit_exceeded', waits: false },
  },
  {
    limit: 'frames',
    env: { TRUNKLINE_MESSAGE_RATE: '1/1h' },
    over: async () => {
      const { raw } = await open(as('ana'));
      return times(3, async () => told(await raw.request('ping')));
    },
    refused: TOLD_TO_WAIT,
  },
  {
    limit: 'bytes',
    env: { TRUNKLINE_BYTE_RATE: '600/1h' },
    over: async () => {
      const { raw } = await open(as('ana'));
      return times(3, async () => told(await raw.request('ping', { pad: 'x'.repeat(500) })));
    },
    refused: TOLD_TO_WAIT,
  },
  {
    limit: 'user_messages',
    env: { TRUNKLINE_USER_MESSAGE_RATE: '3/1h' },
    over: async () => {
      const [one, two] = [await open(as('ana')), await open(as('ana'))];
      const publish = (raw: RawSocket) => async () => told(await raw.request('publish', PUBLISH));
      const byRest = () => call(HISTORY, as('ana'), { event: 'tick', data: 1 });
      return last([publish(one.raw), publish(two.raw), byRest, publish(two.raw)]);
    },
    refused: TOLD_TO_WAIT,
  },
  {
    limit: 'publishes',
    env: {},
    over: async () => {
      const { raw } = await open(as('ana'));
      const publish = async () => told(await raw.request('publish', { ...PUBLISH, channel: 'slow:a' }));
      const byRest = () => call('/api/channels/slow:a/messages', as('ben'), { event: 'tick', data: 1 });
      return last([publish, publish, byRest]);
    },
    refused: RATE_LIMITED,
  },
  {
    limit: 'polls',
    env: { TRUNKLINE_MESSAGE_RATE: '1/1h' },
    over: () => times(3, () => call('/poll?channel=room:a&wait=0', as('ana'))),
    refused: RATE_LIMITED,
  },
  {
    limit: 'requests',
    env: { TRUNKLINE_MESSAGE_RATE: '1/1h' },
    over: () => times(3, () => call(HISTORY, as('ana'))),
    refused: RATE_LIMITED,
  },
  {
    limit: 'api_requests',
    env: { TRUNKLINE_API_RATE: '1/1h' },
    over: () => times(3, () => call(HISTORY, { Authorization: `Bearer ${TEST_API_KEY}` })),
    refused: RATE_LIMITED,
  },
  {
    limit: 'http',
    env: { TRUNKLINE_HTTP_RATE: '2/1h' },
    over: () => times(3, () => call(HISTORY)),
    refused: RATE_LIMITED,
  },
];

describe('the list of limits', () => {
  it('is the list of what is tried here', () => {
    expect(CASES.map(({ limit }) => limit).toSorted()).toEqual([...LIMITS].toSorted());
  });
});

describe('the limits', () => {
  afterEach(async () => {
    for (const raw of sockets.splice(0)) raw.dispose();
    await server.close();
  });

  it.each(CASES)('$limit: who is over it is refused, and counted', async ({ limit, env, over, refused }) => {
    server = await startE2e({ rules: RULES, env });
    expect(await over(server)).toEqual(refused);
    await until(async () => (await counted(limit)).refused > 0, 'the count');
    expect(await counted(limit)).toEqual({ refused: 1, dryRun: 0 });
  });

  it.each(CASES)('$limit: in a dry run he passes, and is counted', async ({ limit, env, over }) => {
    server = await startE2e({ rules: RULES, env: { ...env, TRUNKLINE_LIMITS_DRY_RUN: limit } });
    expect(await over(server)).toBe('passed');
    expect(await counted(limit)).toEqual({ refused: 0, dryRun: 1 });
  });

  it('refuse nothing at all when the dry run is on', async () => {
    const env = Object.assign({}, ...CASES.map((one) => one.env)) as Record<string, string>;
    server = await startE2e({ rules: RULES, env: { ...env, TRUNKLINE_LIMITS_DRY_RUN: 'on' } });
    const { raw } = await open(as('ana'));
    for (let i = 0; i < 50; i++) expect(told(await raw.request('publish', PUBLISH))).toBe('passed');
    for (let i = 0; i < 5; i++) expect((await open(as('ana'))).outcome).toBe('passed');
    expect((await counted('frames')).dryRun).toBeGreaterThan(0);
    expect((await counted('sessions')).dryRun).toBeGreaterThan(0);
  });
});
