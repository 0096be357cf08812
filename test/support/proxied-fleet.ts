// Three real instances over one Redis, as an operator runs them behind a proxy, and readers that say what they missed. Knows no proxy.

import { WebSocket } from 'ws';
import { Trunkline, type Gap, type TransportName } from '../../client/src/index.js';
import { CALM } from './bad-network.js';
import { rulesFile, UNLIMITED } from './e2e-server.js';
import { freePorts } from './free-ports.js';
import { startProcess, type ServerProcess } from './processes.js';
import { startConfiguredRedis } from './redis-conf.js';
import { signToken, TEST_API_KEY } from './server.js';

export const NAMES = ['a', 'b', 'c'] as const;
export type InstanceName = (typeof NAMES)[number];
/** Milliseconds; the smallest the server takes. */
export const HEARTBEAT_MS = 1000;
export const DRAIN_MS = 1500;

const RULE = {
  channel: 'room:{name}',
  subscribe: 'authenticated',
  publish: 'authenticated',
  presence: true,
  history: { size: 2000, ttl: '1h' },
};

export interface ProxiedFleet {
  readonly ports: readonly number[];
  of(name: InstanceName): ServerProcess;
  /** Again on its port, after its end. */
  begin(name: InstanceName): Promise<void>;
  stop(): Promise<void>;
}

export async function startProxiedFleet(): Promise<ProxiedFleet> {
  const redis = await startConfiguredRedis();
  const rules = rulesFile([RULE]);
  const ports = await freePorts(NAMES.length);
  const processes = new Map<InstanceName, ServerProcess>();
  const begin = async (name: InstanceName): Promise<void> => {
    const env = {
      ...UNLIMITED,
      PORT: String(ports[NAMES.indexOf(name)]),
      REDIS_URL: redis.url,
      TRUNKLINE_BACKPLANE: 'redis',
      TRUNKLINE_INSTANCE: name,
      TRUNKLINE_DOMAINS: 'none',
      TRUNKLINE_CHANNELS_FILE: rules.path,
      TRUNKLINE_LOG_LEVEL: 'warn',
      TRUNKLINE_HEARTBEAT_MS: String(HEARTBEAT_MS),
      TRUNKLINE_SSE_HEARTBEAT_MS: String(HEARTBEAT_MS),
      TRUNKLINE_DRAIN_MS: String(DRAIN_MS),
    };
    processes.set(name, await startProcess(env));
  };
  await Promise.all(NAMES.map(begin));
  return {
    ports,
    begin,
    of: (name) => processes.get(name) as ServerProcess,
    stop: async () => {
      await Promise.all([...processes.values()].map((server) => server.kill('SIGKILL')));
      await redis.stop();
      rules.remove();
    },
  };
}

/** A client of one transport that keeps the numbers it was handed. */
export class Reader {
  readonly numbers: number[] = [];
  readonly gaps: Gap[] = [];
  readonly client: Trunkline;

  constructor(
    url: string,
    readonly transport: TransportName,
    readonly user: string,
  ) {
    this.client = new Trunkline(url, {
      token: () => signToken({ sub: user }),
      transports: [transport],
      webSocket: WebSocket,
      minDelayMs: 50,
      maxDelayMs: 500,
      logger: CALM,
    });
  }

  async open(channel: string): Promise<void> {
    const room = this.client.channel<{ tick: number }>(channel);
    room.on('message', ({ data }) => void this.numbers.push(data));
    room.on('gap', (gap) => void this.gaps.push(gap));
    await room.subscribe();
  }
}

/** Publishes 1, 2, 3 … by REST, one after the other, each again under its key until it is acknowledged. */
export class Counter {
  acknowledged = 0;
  /** Answers that were no 201 or 200, and broken connections. */
  readonly failures: string[] = [];
  private going = true;
  private readonly end: Promise<void>;

  constructor(
    private readonly url: string,
    private readonly channel: string,
  ) {
    this.end = this.run();
  }

  async stop(): Promise<number> {
    this.going = false;
    await this.end;
    return this.acknowledged;
  }

  private async run(): Promise<void> {
    for (let n = 1; this.going; n++) {
      while (!(await this.publish(n))) await new Promise((resolve) => setTimeout(resolve, 20));
      this.acknowledged = n;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  private async publish(n: number): Promise<boolean> {
    try {
      const answer = await fetch(`${this.url}/api/channels/${encodeURIComponent(this.channel)}/messages`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${TEST_API_KEY}`,
          'content-type': 'application/json',
          'idempotency-key': `count-${n}`,
        },
        body: JSON.stringify({ event: 'tick', data: n }),
        signal: AbortSignal.timeout(5000),
      });
      const text = await answer.text();
      if (!answer.ok) this.failures.push(`${answer.status} ${text}`);
      return answer.ok;
    } catch (error) {
      this.failures.push(String((error as { cause?: unknown }).cause ?? error));
      return false;
    }
  }
}
