// Scenario `channels`: what a hundred thousand channels on one instance over Redis cost in memory, and how long they are deaf after a
// restart of Redis. Apart from the others, since no deliveries are measured. Starts Redis and the server, prints the table.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { saveResult, wholeNumbers } from '../lib/apart.js';
import { BenchError } from '../lib/bench-error.js';
import { choosePinning, type Pinning } from '../lib/cpus.js';
import { freePort } from '../lib/measure.js';
import { type Running, startProgram, stopProgram } from '../lib/processes.js';
import { median } from '../lib/stats.js';
import { newSecret, signToken } from '../servers/token.js';
import { trunklinePair } from '../servers/trunkline.js';
import { channelName, Crowd } from './crowd.js';

interface Plan {
  readonly sessions: number;
  readonly channelsEach: number;
  readonly rounds: number;
}

interface Sample {
  /** Growth of the server's resident memory by the channels and their subscriptions; the sessions were there before. */
  readonly rssMb: number;
  readonly subscribesPerSecond: number;
  /** From the start of the new Redis to its first answer: by then it has read its file. */
  readonly redisStartMs: number;
  /** From that answer until it has all channels. */
  readonly resubscribedMs: number;
  /** From there until each of the channels that are tried has carried a message. */
  readonly heardMs: number;
}

const STANDARD: Plan = { sessions: 800, channelsEach: 125, rounds: 3 };
const MOST_MB = 200;
const MOST_MS = 5000;
/** The server's garbage is collected in this time, or counts. Milliseconds. */
const REST_MS = 3000;
const POLL_MS = 20;
const STEP_MS = 120_000;
/** Channels that must carry a message after the restart, spread over all. */
const TRIED = 200;

export async function channelsBench(args: readonly string[]): Promise<void> {
  const plan = readPlan(args);
  const pinning = choosePinning();
  const why = trunklinePair.unavailable?.();
  if (why !== undefined) throw new BenchError(`trunkline: ${why}`);
  const samples: Sample[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    const sample = await measured(plan, pinning);
    console.error(`channels ${round + 1}/${plan.rounds}  ${cellsOf([sample]).join('  ')}`);
    samples.push(sample);
  }
  const total = (plan.sessions * plan.channelsEach).toLocaleString('en-US');
  console.log(
    `\n## channels\n\n${total} channels with history, each heard by one of ${plan.sessions} sessions on one instance over Redis;`,
  );
  console.log(`median of ${plan.rounds} rounds\n\n${tableOf(samples)}`);
  saveResult({ scenario: 'channels', plan, standard: STANDARD, pinning, rest: { samples } });
}

function readPlan(args: readonly string[]): Plan {
  const given = wholeNumbers(args, ['sessions', 'channels-each', 'rounds']);
  const [sessions = STANDARD.sessions] = given.sessions ?? [];
  const [channelsEach = STANDARD.channelsEach] = given['channels-each'] ?? [];
  const [rounds = STANDARD.rounds] = given.rounds ?? [];
  return { sessions, channelsEach, rounds };
}

async function measured(plan: Plan, pinning: Pinning | undefined): Promise<Sample> {
  const running: Running[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-bench-'));
  const [redisPort, port] = [await freePort(), await freePort()];
  const redis = new RedisUnderTest(redisPort, folder, pinning?.load);
  const secret = newSecret();
  const crowd = new Crowd({ ...plan, port, token: signToken(secret, 'bench') });
  try {
    await redis.start();
    const { args, env } = trunklinePair.launch({ port, secret, redisUrl: `redis://127.0.0.1:${redisPort}` });
    const limit = { TRUNKLINE_MAX_CHANNELS_PER_SESSION: String(Math.max(128, plan.channelsEach)) };
    const program = { command: [process.execPath, ...args], env: { ...env, ...limit }, cpu: pinning?.server };
    const server = startProgram(program);
    running.push(server);
    await until('the server', () => answers(`http://127.0.0.1:${port}${trunklinePair.readyPath}`));
    return await figures({ plan, crowd, redis, server });
  } finally {
    crowd.end();
    for (const one of running.reverse()) await stopProgram(one);
    await redis.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Stage {
  readonly plan: Plan;
  readonly crowd: Crowd;
  readonly redis: RedisUnderTest;
  readonly server: Running;
}

async function figures({ plan, crowd, redis, server }: Stage): Promise<Sample> {
  const total = plan.sessions * plan.channelsEach;
  await crowd.connect();
  await pause(REST_MS);
  // The buses of the instance itself are there already.
  const own = await redis.channels();
  const before = rssMb(server.pid);
  const start = performance.now();
  await crowd.subscribe();
  const subscribeMs = performance.now() - start;
  await until('all channels', async () => (await redis.channels()) >= own + total);
  await pause(REST_MS);
  const rss = rssMb(server.pid) - before;
  await redis.kill();
  const again = performance.now();
  await redis.start();
  const back = performance.now();
  await until('all channels again', async () => (await redis.channels()) >= own + total);
  const resubscribedMs = performance.now() - back;
  const heardMs = await tryChannels(plan, crowd);
  if (crowd.connected !== plan.sessions || crowd.gaps > 0)
    throw new BenchError(
      `run refused: ${crowd.connected} of ${plan.sessions} sessions left, ${crowd.gaps} gaps`,
    );
  return {
    rssMb: rss,
    subscribesPerSecond: (total * 1000) / subscribeMs,
    redisStartMs: back - again,
    resubscribedMs,
    heardMs,
  };
}

/** A server that subscribes and hears nothing would look fast. Each tried channel is published to until it is heard, once a second. */
async function tryChannels({ sessions, channelsEach }: Plan, crowd: Crowd): Promise<number> {
  const waiting = new Map<string, number>();
  for (let n = 0; n < Math.min(TRIED, sessions); n++) {
    const session = Math.floor((n * sessions) / Math.min(TRIED, sessions));
    waiting.set(channelName(session, n % channelsEach), session);
  }
  crowd.onMessage = (channel) => void waiting.delete(channel);
  const start = performance.now();
  let sent = -Infinity;
  await until('a message on each channel that is tried', () => {
    if (waiting.size > 0 && performance.now() - sent > 1000) {
      sent = performance.now();
      for (const [channel, session] of waiting) crowd.publish(session, channel, 'again');
    }
    return Promise.resolve(waiting.size === 0);
  });
  return performance.now() - start;
}

/** Keeps what it has acknowledged, so that what follows its restart is the way of a real one. */
class RedisUnderTest {
  private program: Running | undefined;
  private client: Redis | undefined;

  constructor(
    private readonly port: number,
    private readonly folder: string,
    private readonly cpu: number | undefined,
  ) {}

  /** Resolves when it answers, its file read. */
  async start(): Promise<void> {
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder];
    const command = ['redis-server', ...place, '--save', '', '--appendonly', 'yes'];
    this.program = startProgram({ command, env: {}, cpu: this.cpu });
    const client = new Redis(this.port, '127.0.0.1', {
      retryStrategy: () => POLL_MS,
      maxRetriesPerRequest: null,
      // The library would wait for as long as Redis guesses that it still reads.
      enableReadyCheck: false,
    });
    client.on('error', () => {});
    this.client = client;
    await until('Redis', () => client.ping().then(Boolean, () => false));
  }

  /** Channels with at least one subscriber. */
  async channels(): Promise<number> {
    const info = (await this.client?.info('stats')) ?? '';
    return Number(/^pubsub_channels:(\d+)/m.exec(info)?.[1]);
  }

  async kill(): Promise<void> {
    this.client?.disconnect();
    if (this.program !== undefined) await stopProgram(this.program);
    this.program = undefined;
  }
}

function rssMb(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kib) * 1024) / 1e6;
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + STEP_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new BenchError(`channels: waited too long for ${what}`);
    await pause(POLL_MS);
  }
}

const HEADING = [
  'RSS growth MB',
  'subscribes/s',
  'all subscribed again ms',
  `${TRIED} tried, heard after ms`,
];

function cellsOf(samples: readonly Sample[]): string[] {
  const middle = (figure: keyof Sample): string =>
    median(samples.map((sample) => sample[figure])).toLocaleString('en-US', { maximumFractionDigits: 0 });
  return [
    middle('rssMb'),
    middle('subscribesPerSecond'),
    middle('redisStartMs'),
    middle('resubscribedMs'),
    middle('heardMs'),
  ];
}

function tableOf(samples: readonly Sample[]): string {
  const said = (text: string, figure: keyof Sample, limit: number): string =>
    `${text}: ${median(samples.map((sample) => sample[figure])) <= limit ? 'met' : 'missed'}`;
  const targets = [
    said(`≤ ${MOST_MB} MB`, 'rssMb', MOST_MB),
    '',
    said(`≤ ${MOST_MS} ms`, 'resubscribedMs', MOST_MS),
    '',
  ];
  const rows = [HEADING, HEADING.map(() => '--:'), cellsOf(samples), targets];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
