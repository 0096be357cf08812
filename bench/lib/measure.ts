// One measured run: a fresh server, the load, the figures. Knows no scenario.
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { BenchServer } from '../servers/server.js';
import { newSecret, signToken } from '../servers/token.js';
import { BenchError } from './bench-error.js';
import type { Pinning } from './cpus.js';
import { type LoadPlan, type LoadTarget, runLoad, type Sample } from './load.js';
import { type Running, startProgram, stopProgram } from './processes.js';

export interface Bench {
  readonly loadClient: string;
  readonly pinning: Pinning | undefined;
}

export interface RunPlan extends LoadPlan {
  /** Opened and closed before the measured ones, so that the server's code is compiled and its tables are grown. */
  readonly warmupConnections?: number;
}

const READY_DEADLINE_MS = 20_000;
const READY_POLL_MS = 25;
/** What a server does just after its start (loading, first garbage collection) belongs to no figure. */
const REST_MS = 500;

export async function measure(bench: Bench, server: BenchServer, plan: RunPlan): Promise<Sample> {
  const secret = newSecret();
  const running: Running[] = [];
  const launch = async (port: number, redisUrl?: string): Promise<Running> => {
    const { args, env } = server.launch({ port, secret, ...(redisUrl === undefined ? {} : { redisUrl }) });
    const one = startProgram({ command: [process.execPath, ...args], env, cpu: bench.pinning?.server });
    running.push(one);
    await untilReady(one, `http://127.0.0.1:${port}${server.readyPath}`);
    return one;
  };
  try {
    const redisUrl = server.pair === true ? await startRedis(running) : undefined;
    const publisherPort = server.pair === true ? await freePort() : undefined;
    if (publisherPort !== undefined) await launch(publisherPort, redisUrl);
    const port = await freePort();
    const { pid } = await launch(port, redisUrl);
    await pause(REST_MS);
    const dialect = server.dialect(signToken(secret, 'bench'));
    const beside = publisherPort === undefined ? {} : { publisherPort };
    const target: LoadTarget = { port, pid, dialect, cpu: bench.pinning?.load, ...beside };
    if (plan.warmupConnections) {
      await runLoad(bench.loadClient, target, { connections: plan.warmupConnections });
      await pause(REST_MS);
    }
    return await runLoad(bench.loadClient, target, plan);
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    const output = running.map((one) => one.output()).join('\n');
    throw new BenchError(`${server.name}: ${error.message}\n${output}`.trim());
  } finally {
    for (const one of running.reverse()) await stopProgram(one);
  }
}

/** A Redis of its own for each run, which keeps nothing. */
async function startRedis(running: Running[]): Promise<string> {
  const port = await freePort();
  const command = ['redis-server', '--port', String(port), '--save', '', '--appendonly', 'no'];
  running.push(startProgram({ command, env: {}, cpu: undefined }));
  await pause(REST_MS);
  return `redis://127.0.0.1:${port}`;
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function untilReady(running: Running, url: string): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (Date.now() < deadline) {
    if (running.child.exitCode !== null || running.child.signalCode !== null) {
      throw new BenchError('ended before it served');
    }
    const answered = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) return;
    await pause(READY_POLL_MS);
  }
  throw new BenchError(`did not answer ${url} within ${READY_DEADLINE_MS / 1000} s`);
}
