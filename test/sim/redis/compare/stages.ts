// The client library over a real Redis and the fake client over the fake one, with the same faults to play: what each client says and
// does is written down alike. Knows no assertion.

import { Redis } from 'ioredis';
import type { ClientDefaults } from '../../../../src/backplanes/redis/redis.connection.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { RedisServer } from '../../../support/redis-server.js';
import { SeededRandom } from '../../../support/seeded-random.js';
import { until } from '../../../support/wait.js';
import type { FakeRedisClient } from '../client.js';
import { FakeRedisServer } from '../server.js';
import { STRAIGHT_NETWORK } from '../straight-network.js';

/** What the scenarios use of either client. */
export interface StageClient {
  readonly status: string;
  connect(): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
  on(event: string, listener: (...args: string[]) => void): unknown;
  get(key: string): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
  ping(): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  evalsha(sha: string, keys: number): Promise<unknown>;
}

export interface Stage {
  readonly client: StageClient;
  /** Events and outcomes in their order. */
  readonly log: string[];
  stall(): void;
  goOn(): void;
  /** The server's process ends. */
  kill(): Promise<void>;
  /** It comes back, empty. */
  begin(): Promise<void>;
  publish(channel: string, payload: string): Promise<void>;
  /** The server ends all connections. */
  cut(): Promise<void>;
  until(condition: () => boolean, what: string): Promise<void>;
  close(): Promise<void>;
}

/** As the backplane has them, with shorter times: the real clock runs here. */
const DEFAULTS: ClientDefaults = {
  lazyConnect: true,
  connectTimeout: 400,
  commandTimeout: 150,
  socketTimeout: 300,
  disconnectTimeout: 50,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResubscribe: false,
  retryStrategy: () => 100,
};

const EVENTS = ['connecting', 'connect', 'ready', 'close', 'reconnecting', 'end'];

/** Tries while the server is away are one. */
const AGAIN = /(connecting,error ECONNREFUSED,close,reconnecting,)+/g;

export function written({ log }: Stage): readonly string[] {
  return log.join(',').replace(AGAIN, '$1').split(',');
}

/** Writes down what becomes of the call. */
export function note(stage: Stage, name: string, call: Promise<unknown>): Promise<void> {
  return call.then(
    (reply) => void stage.log.push(`${name}: ${String(reply)}`),
    (error: unknown) => void stage.log.push(`${name}: ${(error as Error).name} ${(error as Error).message}`),
  );
}

function listen(client: StageClient, log: string[]): void {
  for (const event of EVENTS) client.on(event, () => log.push(event));
  client.on('message', (channel, payload) => log.push(`${channel} ${payload}`));
  client.on('error', (...args: unknown[]) => {
    const { code, message } = args[0] as { code?: string; message: string };
    // Whether what was not read breaks a connection or ends it is the kernel's choice.
    if (code !== 'ECONNRESET') log.push(`error ${code ?? message}`);
  });
}

export async function realStage(): Promise<Stage> {
  const server = await RedisServer.start();
  // The library's types do not know `exactOptionalPropertyTypes`.
  const client = new (Redis as new (options: object) => Redis)({
    ...DEFAULTS,
    host: '127.0.0.1',
    port: server.port,
  });
  const log: string[] = [];
  const plain = client as unknown as StageClient;
  listen(plain, log);
  return {
    client: plain,
    log,
    stall: () => server.pause(),
    goOn: () => server.resume(),
    kill: () => server.kill(),
    begin: () => server.begin(),
    publish: async (channel, payload) => void (await server.ask('PUBLISH', channel, payload)),
    cut: async () => {
      await server.ask('CLIENT', 'KILL', 'TYPE', 'normal');
      await server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
    },
    until: (condition, what) => until(condition, what),
    close: async () => {
      client.disconnect();
      await server.stop();
    },
  };
}

/** Milliseconds of one look. */
const LOOK_MS = 5;
const MOST_LOOKS = 2000;

export function fakeStage(): Stage {
  const clock = new FakeClock();
  const server = new FakeRedisServer({ clock, random: new SeededRandom(1) });
  const client = server
    .connector('n', STRAIGHT_NETWORK)
    .connect('commands', DEFAULTS) as unknown as FakeRedisClient;
  const log: string[] = [];
  const plain = client as unknown as StageClient;
  listen(plain, log);
  return {
    client: plain,
    log,
    stall: () => server.stall(3_600_000),
    goOn: () => server.goOn(),
    kill: async () => {
      server.restart({ downMs: 3_600_000, keepData: false });
    },
    begin: async () => {
      server.up = true;
    },
    publish: async (channel, payload) => {
      server.ask('publish', channel, payload);
      await clock.settle();
    },
    cut: async () => {
      server.killAll();
      await clock.settle();
    },
    until: async (condition, what) => {
      await clock.settle();
      for (let looks = 0; !condition(); looks++) {
        if (looks === MOST_LOOKS) throw new Error(`Waited in vain for ${what}.`);
        await clock.advance(LOOK_MS);
      }
    },
    close: async () => client.vanish(false),
  };
}
