// Builds the load client and runs it against one server, giving its figures as a typed object; starts no server.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BenchError } from './bench-error.js';
import { cacheDir, loadDir } from './paths.js';
import { startProgram } from './processes.js';

/** A frame to send once a connection is open, and the text that shows the server has done what it asks. */
export interface Step {
  /** Undefined: something is only waited for. */
  readonly send?: string;
  readonly awaited: string;
}

/** How a client talks to one server. */
export interface Dialect {
  readonly path: string;
  readonly headers: readonly string[];
  readonly steps: readonly Step[];
  /** Connections are event streams, and messages are published on one WebSocket of this path. */
  readonly streamsBeside?: string;
  /** Frame the publisher of a pair sends first on its own connection. */
  readonly publisherHello?: string;
  /** `%T` becomes the marker and the padding. Undefined where the server only accepts connections. */
  readonly publish?: string;
}

export interface LoadPlan {
  readonly connections: number;
  readonly idleSeconds?: number;
  readonly publish?: {
    readonly inFlight: number;
    readonly padding: number;
    readonly warmupSeconds: number;
    readonly seconds: number;
  };
}

export interface LoadTarget {
  readonly port: number;
  readonly pid: number;
  readonly dialect: Dialect;
  readonly cpu: number | undefined;
  /** Where messages are published, when it is not where the sockets are. */
  readonly publisherPort?: number;
}

/** What the load client prints: see `load/wsload.c`. */
interface LoadOutput {
  readonly connections: number;
  readonly errors: number;
  readonly connectsPerSecond: number;
  readonly connectCpuUs: number;
  readonly rssKibPerConnection: number;
  readonly idleCpuSeconds?: number;
  readonly publish?: PublishOutput;
}

interface PublishOutput {
  readonly deliveries: number;
  readonly expected: number;
  readonly deliveriesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUsPerDelivery: number;
  readonly cpuShare: number;
}

export type FigureName =
  | 'connectsPerSecond'
  | 'connectCpuUs'
  | 'rssKibPerConnection'
  | 'idleCpuSeconds'
  | 'deliveriesPerSecond'
  | 'p50Ms'
  | 'p99Ms'
  | 'cpuUsPerDelivery'
  | 'cpuShare';

export type Sample = Readonly<Partial<Record<FigureName, number>>>;

/** Time for the server to come to rest between the last subscription and the first figure. */
const SETTLE_MS = 500;

/** Returns the path of the compiled client; compiles only when a source changed. */
export function buildLoadClient(): string {
  if (process.platform !== 'linux') throw new BenchError('The load client needs Linux (epoll and /proc).');
  if (spawnSync('gcc', ['--version']).status !== 0) {
    throw new BenchError('The load client needs gcc. Debian and Ubuntu: apt-get install gcc libc6-dev');
  }
  const files = readdirSync(loadDir).filter((file) => /\.[ch]$/.test(file));
  const hash = createHash('sha256');
  for (const file of files.sort()) hash.update(readFileSync(join(loadDir, file)));
  const binary = join(cacheDir, `wsload-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(binary)) return binary;
  mkdirSync(cacheDir, { recursive: true });
  const sources = files.filter((file) => file.endsWith('.c')).map((file) => join(loadDir, file));
  const gcc = spawnSync('gcc', ['-O2', '-Wall', '-Wextra', '-o', binary, ...sources], { encoding: 'utf8' });
  if (gcc.status !== 0) throw new BenchError(`gcc cannot compile the load client:\n${gcc.stderr}`);
  return binary;
}

export async function runLoad(binary: string, target: LoadTarget, plan: LoadPlan): Promise<Sample> {
  const load = startProgram({ command: [binary, ...loadArguments(target, plan)], env: {}, cpu: target.cpu });
  const [code] = (await once(load.child, 'close')) as [number | null];
  if (code !== 0) throw new BenchError(`the load client failed: ${load.output().trim()}`);
  const output = JSON.parse(load.output()) as LoadOutput;
  refuseIncomplete(output, plan);
  const { connectsPerSecond, connectCpuUs, rssKibPerConnection, idleCpuSeconds } = output;
  return {
    connectsPerSecond,
    connectCpuUs,
    rssKibPerConnection,
    ...(idleCpuSeconds === undefined ? {} : { idleCpuSeconds }),
    ...(output.publish ? publishFigures(output.publish) : {}),
  };
}

export function loadArguments({ port, pid, dialect, publisherPort }: LoadTarget, plan: LoadPlan): string[] {
  const { connections, idleSeconds, publish } = plan;
  const args = ['-p', port, '-P', dialect.path, '-n', connections, '-k', pid, '-w', SETTLE_MS];
  for (const header of dialect.headers) args.push('-e', header);
  for (const { send, awaited } of dialect.steps) {
    if (send !== undefined) args.push('-h', send);
    args.push('-y', awaited);
  }
  if (dialect.streamsBeside !== undefined) args.push('-s', '-q', port, '-Q', dialect.streamsBeside);
  if (publisherPort !== undefined) {
    args.push('-q', publisherPort, '-Q', dialect.path);
    if (dialect.publisherHello !== undefined) args.push('-j', dialect.publisherHello);
  }
  if (idleSeconds !== undefined) args.push('-i', idleSeconds);
  if (publish) {
    if (dialect.publish === undefined) throw new BenchError('accepts connections only: it cannot publish');
    args.push('-b', dialect.publish, '-c', publish.inFlight, '-l', publish.padding);
    args.push('-u', publish.warmupSeconds, '-t', publish.seconds);
  }
  return args.map(String);
}

/** A server that loses sockets or messages does less work: its figures would flatter it. */
function refuseIncomplete({ connections, errors, publish }: LoadOutput, plan: LoadPlan): void {
  if (errors > 0 || connections !== plan.connections) {
    throw new BenchError(`run refused: ${connections} of ${plan.connections} connections, ${errors} failed`);
  }
  if (publish && publish.deliveries !== publish.expected) {
    throw new BenchError(`run refused: ${publish.deliveries} of ${publish.expected} deliveries arrived`);
  }
}

function publishFigures(publish: PublishOutput): Sample {
  const { deliveriesPerSecond, p50Ms, p99Ms, cpuUsPerDelivery, cpuShare } = publish;
  return { deliveriesPerSecond, p50Ms, p99Ms, cpuUsPerDelivery, cpuShare };
}
