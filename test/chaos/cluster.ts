// Servers as real processes on ports they keep, one Redis behind them, and the faults that befall both. Knows no message.

import { startProcess, type ServerProcess } from '../support/processes.js';
import { RedisServer } from '../support/redis-server.js';
import { freePorts } from '../support/free-ports.js';
import { rulesFile, UNLIMITED } from '../support/e2e-server.js';
import type { SeededRandom } from '../support/seeded-random.js';

/** More than any run publishes into one channel: the log at the end must hold all of it. */
const KEPT = 100_000;
const RULE = { subscribe: 'authenticated', publish: 'authenticated', history: { size: KEPT, ttl: '1h' } };
/** Who is present costs a write a session, so most channels go without. */
const RULES = [
  { channel: 'chaos:{name}', ...RULE },
  { channel: 'people:{name}', ...RULE, presence: true },
];
const ENV = {
  ...UNLIMITED,
  TRUNKLINE_BACKPLANE: 'redis',
  TRUNKLINE_DOMAINS: 'none',
  TRUNKLINE_LOG_LEVEL: 'warn',
  // Who hears nothing for half as long again takes a connection for dead. A busy machine can be silent for seconds.
  TRUNKLINE_HEARTBEAT_MS: '8000',
  TRUNKLINE_SSE_HEARTBEAT_MS: '8000',
  TRUNKLINE_DRAIN_MS: '1000',
};

/** The rest is called by scripts. */
const FROM_OUTSIDE = /^(eval|s?subscribe|s?unsubscribe|client|info|script|set|mget|xread)/;

export interface ClusterOptions {
  readonly instances?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly redisArgs?: readonly string[];
}

/** One place in the cluster: its process may die and come again, its address stays. */
export class Instance {
  /** Nobody is sent here while it is down or stands still. */
  up = false;
  starts = 0;
  /** Printed by the processes before this one. */
  private past = '';
  private process: ServerProcess | undefined;

  constructor(
    readonly name: string,
    private readonly port: number,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** What its processes have printed. */
  get output(): string {
    return this.past + (this.process?.output ?? '');
  }

  token(user: string): string {
    if (this.process === undefined) throw new Error(`${this.name} was never started.`);
    return this.process.token(user);
  }

  async start(): Promise<void> {
    this.past = this.output;
    // A start costs 0.7 s of a core instead of 1.6: killed ones are half of the load of a run otherwise.
    this.process = await startProcess({ ...this.env, PORT: String(this.port) }, 'start.mjs');
    this.starts++;
    this.up = true;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.up = false;
    await this.process?.kill(signal);
  }

  pause(): void {
    this.up = false;
    this.process?.signal('SIGSTOP');
  }

  resume(): void {
    this.process?.signal('SIGCONT');
    this.up = true;
  }

  /** A counter or gauge of `/metrics`, without its prefix; the sum over its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const lines = text.matchAll(new RegExp(`^(?:trunkline_)?${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'));
    return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
  }
}

export class ChaosCluster {
  private constructor(
    readonly redis: RedisServer,
    readonly instances: readonly Instance[],
    private readonly parts: {
      readonly rules: { remove(): void };
      readonly env: Readonly<Record<string, string>>;
    },
  ) {}

  static async start({
    instances: count = 3,
    env = {},
    redisArgs = [],
  }: ClusterOptions = {}): Promise<ChaosCluster> {
    const redis = await RedisServer.start({ args: redisArgs });
    const rules = rulesFile(RULES);
    const ports = await freePorts(count);
    const all = { ...ENV, TRUNKLINE_CHANNELS_FILE: rules.path, REDIS_URL: redis.url, ...env };
    const instances = ports.map((port, at) => new Instance('ABCDEFGH'[at] ?? String(at), port, all));
    const cluster = new ChaosCluster(redis, instances, { rules, env: all });
    try {
      await Promise.all(instances.map((instance) => instance.start()));
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  get up(): readonly Instance[] {
    return this.instances.filter(({ up }) => up);
  }

  /** One that takes connections, as a load balancer would choose; another than `except` where there is one. */
  pick(random: SeededRandom, except?: Instance): Instance {
    const up = this.up.length > 0 ? this.up : this.instances;
    const others = up.filter((instance) => instance !== except);
    const from = others.length > 0 ? others : up;
    return from[random.below(from.length)] as Instance;
  }

  /** One more that nobody is sent to by chance, and that reaches Redis by its own way. Who asks for it ends it. */
  async extra(redisUrl: string): Promise<Instance> {
    const [port = 0] = await freePorts(1);
    const instance = new Instance('X', port, { ...this.parts.env, REDIS_URL: redisUrl });
    await instance.start();
    return instance;
  }

  /** Everything runs again: instances that were killed are started. */
  async mend(): Promise<void> {
    await Promise.all(this.instances.filter(({ up }) => !up).map((instance) => instance.start()));
  }

  /** What Redis was asked so far, by command. What a script does inside counts as the script. */
  async commands(): Promise<ReadonlyMap<string, number>> {
    const text = String(await this.redis.ask('INFO', 'commandstats'));
    const counts = new Map<string, number>();
    for (const [, name = '', calls] of text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm))
      if (FROM_OUTSIDE.test(name)) counts.set(name, Number(calls));
    return counts;
  }

  async close(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.end('SIGKILL')));
    await this.redis.stop();
    this.parts.rules.remove();
  }
}
