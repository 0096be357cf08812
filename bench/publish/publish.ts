// Scenario `publish`, apart from the others since no socket takes part: what a history publish over Redis costs its process, beside a
// bare `publish` of the client library. Starts a Redis and the measured process, prints the table.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { saveResult, wholeNumbers } from '../lib/apart.js';
import { BenchError } from '../lib/bench-error.js';
import { choosePinning } from '../lib/cpus.js';
import { freePort } from '../lib/measure.js';
import { type Running, startProgram, stopProgram } from '../lib/processes.js';
import { median, medianRatio } from '../lib/stats.js';

export type Turn = 'bare' | 'publish' | 'keyed';

export interface PublishPlan {
  readonly inFlight: readonly number[];
  readonly rounds: number;
  /** Milliseconds of one turn. */
  readonly turnMs: number;
}

export interface PublishSample {
  readonly cpuUs: number;
  readonly perSecond: number;
}

type Found = Readonly<Record<string, Readonly<Record<Turn, readonly PublishSample[]>>>>;

interface Row {
  readonly inFlight: number;
  readonly turn: Turn;
  readonly cpuUs: number;
  readonly lowest: number;
  readonly highest: number;
  readonly perSecond: number;
  readonly ratio: number;
}

/** Short turns and many of them: the machine has slow seconds, and both sides of a ratio shall have the same. */
const STANDARD: PublishPlan = { inFlight: [1, 10, 100], rounds: 15, turnMs: 300 };
/** Times the CPU of a bare publish, with so many in flight. One alone pays for the turn of the event loop by itself. */
const MOST_TIMES = 1.6;
const JUDGED: readonly number[] = [10, 100];
/** Publishes a second in one process, with most in flight. */
const LEAST_PER_SECOND = 20_000;

const ABOUT: Readonly<Record<Turn, string>> = {
  bare: 'bare publish of ioredis',
  publish: 'history publish',
  keyed: 'history publish with an idempotency key',
};

export async function publishBench(args: readonly string[]): Promise<void> {
  const plan = readPlan(args);
  const pinning = choosePinning();
  if (!pinning) console.error('Not pinned: taskset and two cores are needed for figures to compare.');
  const found = await measured(plan, pinning);
  const rows = Object.entries(found).flatMap(([inFlight, samples]) => rowsOf(Number(inFlight), samples));
  console.log(`\n## publish\n\nhistory publish over Redis, in process; median of ${plan.rounds} rounds\n`);
  console.log(tableOf(rows));
  saveResult({
    scenario: 'publish',
    plan,
    standard: STANDARD,
    pinning,
    versions: { ioredis: ioredisVersion() },
    rest: { rows, samples: found },
  });
}

function readPlan(args: readonly string[]): PublishPlan {
  const { rounds: [rounds = STANDARD.rounds] = [], 'in-flight': inFlight = STANDARD.inFlight } = wholeNumbers(
    args,
    ['rounds', 'in-flight'],
  );
  return { ...STANDARD, rounds, inFlight };
}

async function measured(plan: PublishPlan, pinning: ReturnType<typeof choosePinning>): Promise<Found> {
  const running: Running[] = [];
  try {
    const port = await freePort();
    const keepNothing = ['--save', '', '--appendonly', 'no', '--bind', '127.0.0.1'];
    const redis = [await redisProgram(), '--port', String(port), ...keepNothing];
    running.push(startProgram({ command: redis, env: {}, cpu: pinning?.load }));
    const program = fileURLToPath(new URL('./publish.main.js', import.meta.url));
    const env = { REDIS: `redis://127.0.0.1:${port}`, PLAN: JSON.stringify(plan), NODE_ENV: 'production' };
    const one = startProgram({ command: [process.execPath, program], env, cpu: pinning?.server });
    running.push(one);
    let printed = '';
    one.child.stdout?.on('data', (text: string) => (printed += text));
    const [code] = (await once(one.child, 'close')) as [number | null];
    if (code !== 0) throw new BenchError(`publish: the measured process ended early\n${one.output()}`);
    return JSON.parse(printed) as Found;
  } finally {
    for (const one of running.reverse()) await stopProgram(one);
  }
}

async function redisProgram(): Promise<string> {
  const file = new URL('../../../scripts/system.mjs', import.meta.url).href;
  const { findRedis } = (await import(file)) as { findRedis: () => string | undefined };
  const found = findRedis();
  if (found === undefined) throw new BenchError('publish: no redis-server (apt-get install redis-server)');
  return found;
}

function ioredisVersion(): string {
  return (createRequire(import.meta.url)('ioredis/package.json') as { version: string }).version;
}

function rowsOf(inFlight: number, samples: Readonly<Record<Turn, readonly PublishSample[]>>): Row[] {
  const costs = (turn: Turn): number[] => samples[turn].map(({ cpuUs }) => cpuUs);
  return (Object.keys(samples) as Turn[]).map((turn) => ({
    inFlight,
    turn,
    cpuUs: median(costs(turn)),
    lowest: Math.min(...costs(turn)),
    highest: Math.max(...costs(turn)),
    perSecond: median(samples[turn].map(({ perSecond }) => perSecond)),
    ratio: medianRatio(costs(turn), costs('bare')),
  }));
}

function tableOf(rows: readonly Row[]): string {
  const most = Math.max(...rows.map(({ inFlight }) => inFlight));
  const lines = rows.map((row) => [
    String(row.inFlight),
    ABOUT[row.turn],
    row.cpuUs.toFixed(2),
    `${row.lowest.toFixed(1)}–${row.highest.toFixed(1)}`,
    row.perSecond.toLocaleString('en-US', { maximumFractionDigits: 0 }),
    row.ratio.toFixed(2),
    verdictOf(row, most),
  ]);
  const heading = ['in flight', '', 'CPU µs each', 'lowest–highest', 'a second', '× bare', 'target'];
  return [heading, heading.map((_, n) => (n === 1 || n === 6 ? '---' : '--:')), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function verdictOf({ turn, inFlight, ratio, perSecond }: Row, most: number): string {
  if (turn !== 'publish') return '';
  const said = (text: string, met: boolean): string => `${text}: ${met ? 'met' : 'missed'}`;
  const verdicts: string[] = [];
  if (JUDGED.includes(inFlight)) verdicts.push(said(`≤ ${MOST_TIMES} × bare`, ratio <= MOST_TIMES));
  if (inFlight === most)
    verdicts.push(said(`≥ ${LEAST_PER_SECOND.toLocaleString('en-US')}/s`, perSecond >= LEAST_PER_SECOND));
  return verdicts.join('; ');
}
